namespace Errand.PostgreSql.Inspect;

/// <summary>
/// The workers of every process as people see them: where they run, what they serve, and what each holds.
/// </summary>
internal sealed class WorkerList(StoreClock clock)
{
    // language=postgresql
    private const string DescribeWorkersSql = """
        select   w.id, w.host, w.process, w.started, w.lease, w.queues, w.concurrency,
                 greatest(w.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + w.lease
                 > c.now,
                 array(
                     select n.text
                     from   errand.errand_worker_names k join errand.errand_names n on n.id = k.name
                     where  k.worker = w.id)
        from     errand.errand_workers w, (select errand.errand_now_ms(@now) as now offset 0) c
        order by w.id
        """;

    // language=postgresql
    private const string SelectLeasesSql = """
        select w.id, t.id, t.epoch
        from   errand.errand_workers w,
               lateral (
                   select   id, epoch
                   from     errand.errand_tasks
                   where    owner = w.id and state = 12
                   order by id
                   limit    @limit) as t
        """;

    internal async Task<IReadOnlyList<WorkerDetails>> ListAsync(Snapshot snapshot)
    {
        List<WorkerDetails> workers = [];
        List<TaskLease> leases = [];
        await snapshot.RunAsync(batch => batch
            .Add(DescribeWorkersSql, row => workers.Add(new WorkerDetails
            {
                Id = new WorkerId(row.GetInt64(0)),
                Host = row.GetString(1),
                ProcessId = row.GetInt32(2),
                StartedAt = Times.Of(row.GetInt64(3)),
                Lease = TimeSpan.FromMilliseconds(row.GetInt64(4)),
                Queues = [.. row.GetString(5).Split('\n').Select(QueueSubscription.Read)],
                Concurrency = row.GetInt32(6),
                IsLive = row.GetBoolean(7),
                TaskNames = [.. row.GetFieldValue<string[]>(8).Order(StringComparer.Ordinal)],
                Leases = [],
            }))
            .With("now", clock.TestNow)
            .Add(SelectLeasesSql, row => leases.Add(Leases.Of(row.GetInt64(1), row.GetInt64(0), row.GetInt64(2))))
            .With("limit", WorkerDetails.LeasesNamed)).ConfigureAwait(false);
        var held = leases.ToLookup(lease => lease.Owner);
        return [.. workers.Select(worker => worker with { Leases = [.. held[worker.Id].OrderBy(lease => lease.Id)] })];
    }
}
