namespace Errand.PostgreSql;

/// <summary>The workers of every process as people see them: who they are, what they serve, and what each holds.</summary>
public sealed partial class PostgresBackend
{
    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default) =>
        await LookAsync(FindWorkersAsync, cancellationToken).ConfigureAwait(false);

    // language=postgresql
    private const string DescribeWorkersSql = """
        select   w.id, w.host, w.process, w.started, w.lease, w.queues, w.concurrency,
                 greatest(w.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + w.lease > c.now,
                 array(
                     select n.text
                     from   errand.worker_names k join errand.names n on n.id = k.name
                     where  k.worker = w.id)
        from     errand.workers w, (select errand.now_ms(@now) as now offset 0) c
        order by w.id
        """;

    // language=postgresql
    private const string SelectLeasesSql = """
        select w.id, t.id, t.epoch
        from   errand.workers w,
               lateral (
                   select   id, epoch
                   from     errand.tasks
                   where    owner = w.id and state = 12
                   order by id
                   limit    @limit) as t
        """;

    private async Task<IReadOnlyList<WorkerDetails>> FindWorkersAsync(Look look)
    {
        List<WorkerDetails> workers = [];
        List<TaskLease> leases = [];
        await look.RunAsync(batch => batch
            .Add(DescribeWorkersSql, row => workers.Add(new WorkerDetails
            {
                Id = new WorkerId(row.GetInt64(0)),
                Host = row.GetString(1),
                ProcessId = row.GetInt32(2),
                StartedAt = TimeOf(row.GetInt64(3)),
                Lease = TimeSpan.FromMilliseconds(row.GetInt64(4)),
                Queues = [.. row.GetString(5).Split('\n').Select(QueueSubscription.Read)],
                Concurrency = row.GetInt32(6),
                IsLive = row.GetBoolean(7),
                TaskNames = [.. row.GetFieldValue<string[]>(8).Order(StringComparer.Ordinal)],
                Leases = [],
            }))
            .With("now", TestNow)
            .Add(SelectLeasesSql, row => leases.Add(
                new TaskLease { Id = new TaskId(row.GetInt64(1)), Owner = new WorkerId(row.GetInt64(0)), Epoch = row.GetInt64(2) }))
            .With("limit", WorkerDetails.LeasesNamed)).ConfigureAwait(false);
        var held = leases.ToLookup(lease => lease.Owner);
        return [.. workers.Select(worker => worker with { Leases = [.. held[worker.Id].OrderBy(lease => lease.Id)] })];
    }
}
