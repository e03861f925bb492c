using System.Collections;

namespace Errand.Sqlite.Workers;

/// <summary>Worker incarnations: those of this backend, and the rows by which other processes know them.</summary>
internal sealed class Incarnations : Part<Turn>, IEnumerable<LocalWorker>
{
    private readonly Dictionary<long, LocalWorker> _ours = [];
    private volatile HashSet<long> _owners = []; // The same owners: written whole by the writer, read by anybody.
    private bool _mayBeLost; // Others have written, who may have declared one of ours dead.
    private Action<long, Exception>? _dropped; // What waits for an incarnation that is gone is given nothing more.

    internal override Moments Hears => Moments.Doubted | Moments.Began;

    /// <summary>Says who must know that an incarnation of this backend is gone, and why.</summary>
    internal void WhenDropped(Action<long, Exception> dropped) => _dropped += dropped;

    internal int Count => _ours.Count;

    internal LocalWorker? Find(long owner) => _ours.GetValueOrDefault(owner);

    /// <summary>Whether it is an incarnation of this backend. Thread-safe.</summary>
    internal bool IsOurs(long owner) => _owners.Contains(owner);

    internal void Add(LocalWorker worker)
    {
        _ours.Add(worker.Owner, worker);
        _owners = [.. _ours.Keys];
    }

    /// <summary>From here on, inside this turn already, the owner is given nothing more.</summary>
    internal void Drop(long owner)
    {
        if (_ours.Remove(owner, out var worker))
        {
            _owners = [.. _ours.Keys];
            worker.Dispose();
        }

        _dropped?.Invoke(owner, new WorkerLostException(new WorkerId(owner)));
    }

    internal override void Doubted(Doubt why) => _mayBeLost |= why == Doubt.OthersWrote;

    /// <summary>Those of ours that others have declared dead must reserve nothing more.</summary>
    internal override void Began(Turn turn)
    {
        if (!_mayBeLost)
        {
            return;
        }

        _mayBeLost = false;
        foreach (var owner in _ours.Keys.ToArray())
        {
            if (!IsThere(turn, owner))
            {
                Drop(owner);
            }
        }
    }

    // language=sqlite
    private const string InsertWorkerSql = """
        insert or replace into errand_workers (id, beat, lease, host, process, started, queues, concurrency)
        values (@id, 0, @lease, @host, @process, @started, @queues, @concurrency)
        """;

    // language=sqlite
    private const string InsertWorkerNameSql =
        "insert or ignore into errand_worker_names (worker, name) values (@worker, @name)";

    internal static void Insert(Turn turn, LocalWorker worker, WorkerRegistration registration)
    {
        turn.Statement(InsertWorkerSql)
            .With(worker.Owner).With((long)worker.Lease.TotalMilliseconds).With(Environment.MachineName)
            .With(Environment.ProcessId).With(turn.Now).With(string.Join('\n', registration.Queues)).With(registration.Concurrency)
            .Execute();
        worker.ForgetNames();
        foreach (var name in registration.TaskNames)
        {
            var id = turn.IdOf(name);
            worker.Learn(id);
            turn.Statement(InsertWorkerNameSql).With(worker.Owner).With(id).Execute();
        }
    }

    // language=sqlite
    private const string BeatSql = "update errand_workers set beat = beat + 1 where id = @id";

    /// <returns>False when the incarnation is gone.</returns>
    internal static bool Beat(Turn turn, long owner) => turn.Statement(BeatSql).With(owner).Execute() == 1;

    // language=sqlite
    private const string HasWorkerSql = "select 1 from errand_workers where id = @id";

    internal static bool IsThere(Turn turn, long owner) => turn.Statement(HasWorkerSql).With(owner).Scalar() is not null;

    // language=sqlite
    private const string SelectWorkersSql = "select id, beat, lease, host, process from errand_workers";

    internal static List<WorkerRow> Read(Turn turn)
    {
        List<WorkerRow> workers = [];
        var rows = turn.Statement(SelectWorkersSql);
        while (rows.Step())
        {
            workers.Add(new WorkerRow(
                rows.Int64(0), rows.Int64(1), TimeSpan.FromMilliseconds(rows.Int64(2)), rows.Text(3), rows.Int64(4)));
        }

        return workers;
    }

    // language=sqlite
    private const string DeleteWorkerSql = "delete from errand_workers where id = @id and beat = coalesce(@beat, beat)";

    // language=sqlite
    private const string DeleteWorkerNamesSql = "delete from errand_worker_names where worker = @worker";

    /// <param name="turn">The transaction.</param>
    /// <param name="owner">The incarnation.</param>
    /// <param name="beat">Its heartbeat when it was looked at; null for whatever it is.</param>
    /// <returns>False when it has been heard of since, or is gone.</returns>
    internal static bool Delete(Turn turn, long owner, long? beat)
    {
        if (turn.Statement(DeleteWorkerSql).With(owner).With(beat).Execute() == 0)
        {
            return false;
        }

        turn.Statement(DeleteWorkerNamesSql).With(owner).Execute();
        return true;
    }

    // language=sqlite
    private const string DeleteAllWorkersSql = "delete from errand_workers";

    // language=sqlite
    private const string DeleteAllWorkerNamesSql = "delete from errand_worker_names";

    /// <summary>The workers of a copy are those of another file: nobody would ever hear of them.</summary>
    internal override void Rest(Turn copy)
    {
        copy.Statement(DeleteAllWorkerNamesSql).Execute();
        copy.Statement(DeleteAllWorkersSql).Execute();
    }

    internal override void Close(Exception disposed)
    {
        foreach (var worker in _ours.Values)
        {
            worker.Dispose();
        }
    }

    public IEnumerator<LocalWorker> GetEnumerator() => _ours.Values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal override IReadOnlyList<string> Tables => ["errand_workers", "errand_worker_names"];

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'Task ' || id || ' runs on ' || owner || ', which is no worker: it would never come back.'
        from   errand_tasks
        where  state = 12 and owner not in (select id from errand_workers)
        limit  20
        """,
        """
        select 'Worker ' || id || ' has a lease of ' || lease || ' ms, ' || beat || ' heartbeats and began at ' || started || '.'
        from   errand_workers
        where  lease < 1 or beat < 0 or started not between 0 and 253402300799999 or id <= 1 << 40
        limit  20
        """,
        """
        select 'Names are known of worker ' || worker || ', which is gone.'
        from   errand_worker_names
        where  worker not in (select id from errand_workers)
        group by worker
        limit  20
        """,
        """
        select 'A worker has the name ' || name || ', which is not there.'
        from   errand_worker_names
        where  name not in (select id from errand_names)
        limit  20
        """,
    ];
}
