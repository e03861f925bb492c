namespace Errand.Sqlite.Inspect;

/// <summary>
/// The workers of every process as people see them: who they are, what they serve, and what each holds.
/// </summary>
internal sealed class WorkerList(SqliteStore store, Incarnations incarnations, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly WorkerWatch _watch = new(); // Of workers of other backends, from one look to the next.
    private long _lastLook; // As the watch, under the lock: reads run at the same time.

    internal Operation<Turn, IReadOnlyList<WorkerDetails>> List() => new ListOperation(this);

    // language=sqlite
    private const string DescribeWorkersSql =
        "select id, host, process, started, lease, queues, concurrency from errand_workers order by id";

    internal List<WorkerDetails> Find(Turn snapshot)
    {
        HashSet<long> live = [.. Live(snapshot)];
        List<WorkerDetails> workers = [];
        var rows = snapshot.Statement(DescribeWorkersSql);
        while (rows.Step())
        {
            var id = rows.Int64(0);
            workers.Add(new WorkerDetails
            {
                Id = new WorkerId(id),
                Host = rows.Text(1),
                ProcessId = rows.Int64(2),
                StartedAt = rows.Time(3),
                Lease = TimeSpan.FromMilliseconds(rows.Int64(4)),
                IsLive = live.Contains(id),
                Queues = [.. rows.Text(5).Split('\n').Select(QueueSubscription.Read)],
                Concurrency = rows.Int32(6),
                TaskNames = FindTaskNames(snapshot, id),
                Leases = FindLeases(snapshot, id),
            });
        }

        return workers;
    }

    private static string[] FindTaskNames(Turn snapshot, long worker) =>
        [.. KnownNames(snapshot, [worker]).Select(name => snapshot.TextOf(name)).Order(StringComparer.Ordinal)];

    // language=sqlite
    private const string SelectLeasesSql =
        "select id, epoch from errand_tasks where owner = @owner and state = 12 order by id limit @limit";

    private static List<TaskLease> FindLeases(Turn snapshot, long worker)
    {
        List<TaskLease> leases = [];
        var rows = snapshot.Statement(SelectLeasesSql).With(worker).With(WorkerDetails.LeasesNamed);
        while (rows.Step())
        {
            leases.Add(Leases.Of(rows.Int64(0), worker, rows.Int64(1)));
        }

        return leases;
    }

    // language=sqlite
    private const string SelectWorkerNamesSql = "select name from errand_worker_names where worker = @worker";

    internal static HashSet<long> KnownNames(Turn snapshot, IEnumerable<long> workers)
    {
        HashSet<long> known = [];
        foreach (var worker in workers)
        {
            var rows = snapshot.Statement(SelectWorkerNamesSql).With(worker);
            while (rows.Step())
            {
                known.Add(rows.Int64(0));
            }
        }

        return known;
    }

    /// <summary>
    /// Only a process with a worker of its own sweeps the dead away, so this looks for itself: at the lock files, and
    /// whether a heartbeat has stood still for its lease, over the looks that this backend has taken.
    /// </summary>
    internal List<long> Live(Turn snapshot)
    {
        lock (_lock)
        {
            return FindLive(snapshot);
        }
    }

    private List<long> FindLive(Turn snapshot)
    {
        List<long> live = [];
        HashSet<long> others = [];
        var now = time.GetTimestamp();
        var elapsed = time.GetElapsedTime(_lastLook, now);
        foreach (var worker in Incarnations.Read(snapshot))
        {
            if (incarnations.IsOurs(worker.Owner))
            {
                live.Add(worker.Owner);
                continue;
            }

            others.Add(worker.Owner);
            var isExpired = _watch.HasExpired(worker.Owner, worker.Beat, worker.Lease, elapsed);
            if (!isExpired && (store.IsMemory || WorkerLockFile.Probe(store.Location, worker.Owner) != WorkerLockFile.Liveness.Dead))
            {
                live.Add(worker.Owner);
            }
        }

        _watch.Keep(others);
        _lastLook = now;
        return live;
    }

    private sealed class ListOperation(WorkerList list) : Operation<Turn, IReadOnlyList<WorkerDetails>>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(list.Find);
    }
}
