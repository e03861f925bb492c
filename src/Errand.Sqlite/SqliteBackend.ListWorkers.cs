using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>The workers of every process as people see them: who they are, what they serve, and what each holds.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new WorkersOperation(this), cancellationToken).ConfigureAwait(false);

    // language=sqlite
    private const string DescribeWorkersSql =
        "select id, host, process, started, lease, queues, concurrency from workers order by id";

    private List<WorkerDetails> FindWorkers()
    {
        HashSet<long> live = [.. LiveWorkers()];
        List<WorkerDetails> workers = [];
        var rows = Database.Statement(DescribeWorkersSql);
        while (rows.Step())
        {
            var id = rows.Int64(0);
            workers.Add(new WorkerDetails
            {
                Id = new WorkerId(id),
                Host = rows.Text(1),
                ProcessId = rows.Int64(2),
                StartedAt = TimeOf(rows.Int64(3)),
                Lease = TimeSpan.FromMilliseconds(rows.Int64(4)),
                IsLive = live.Contains(id),
                Queues = [.. rows.Text(5).Split('\n').Select(QueueSubscription.Read)],
                Concurrency = rows.Int32(6),
                TaskNames = FindTaskNames(id),
                Leases = FindLeases(id),
            });
        }

        return workers;
    }

    private string[] FindTaskNames(long worker) =>
        [.. KnownNames([worker]).Select(name => _names.TextOf(Database, name)).Order(StringComparer.Ordinal)];

    // language=sqlite
    private const string SelectLeasesSql =
        "select id, epoch from tasks where owner = @owner and state = 12 order by id limit @limit";

    private List<TaskLease> FindLeases(long worker)
    {
        List<TaskLease> leases = [];
        var rows = Database.Statement(SelectLeasesSql).With(worker).With(WorkerDetails.LeasesNamed);
        while (rows.Step())
        {
            leases.Add(new TaskLease { Id = new TaskId(rows.Int64(0)), Owner = new WorkerId(worker), Epoch = rows.Int64(1) });
        }

        return leases;
    }

    private sealed class WorkersOperation(SqliteBackend backend) : Operation<IReadOnlyList<WorkerDetails>>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(backend.FindWorkers);
    }
}
