namespace Errand.PostgreSql.Workers;

/// <summary>
/// Worker incarnations: those of this backend, which are the writer's alone, and the rows that all processes see of
/// them.
/// </summary>
internal sealed class Incarnations(WaitingWorkers<Turn, Waiting> waiting, PostgresStore store, StoreClock clock)
    : Part<Turn>
{
    private readonly Dictionary<long, LocalWorker> _workers = [];
    private string _mark = ""; // Of the store that they have begun in.

    internal override Moments Hears => Moments.Doubted;

    internal override IReadOnlyList<string> Tables => ["errand_workers", "errand_worker_names"];

    internal int Count => _workers.Count;

    internal Dictionary<long, LocalWorker>.ValueCollection All => _workers.Values;

    internal long[] Owners() => [.. _workers.Keys];

    internal LocalWorker? Find(long owner) => _workers.GetValueOrDefault(owner);

    internal void Add(LocalWorker worker) => _workers[worker.Owner] = worker;

    /// <summary>From here on, inside this turn already, the owner is given nothing more.</summary>
    internal void Drop(long owner)
    {
        _workers.Remove(owner);
        waiting.FailOf(owner, new WorkerLostException(new WorkerId(owner)));
    }

    /// <summary>In another store, nobody knows them.</summary>
    internal override void Doubted(Doubt why)
    {
        if (why == Doubt.Opened && _mark != store.Mark)
        {
            _mark = store.Mark;
            foreach (var owner in Owners())
            {
                Drop(owner);
            }
        }
    }

    // language=postgresql
    private const string InsertWorkerSql = """
        insert into errand.errand_workers (id, beat, lease, started, process, concurrency, host, queues)
        select @id, now, @lease, now, @process, @concurrency, @host, @queues
        from   errand.errand_now_ms(@now) as now
        on conflict (id) do update set beat = excluded.beat
        returning id
        """;

    // language=postgresql
    private const string InsertWorkerNameSql = """
        insert into errand.errand_worker_names (worker, name)
        select distinct @worker, name
        from   unnest(@names) as name
        on conflict do nothing
        returning worker
        """;

    internal void Insert(Turn turn, LocalWorker worker, WorkerRegistration registration)
    {
        worker.Know(registration.TaskNames, turn.IdOf);
        turn.Add(InsertWorkerSql)
            .With("now", clock.TestNow).With("id", worker.Owner).With("lease", (long)worker.Lease.TotalMilliseconds)
            .With("process", Environment.ProcessId).With("host", Environment.MachineName)
            .With("concurrency", registration.Concurrency).With("queues", string.Join('\n', registration.Queues));
        turn.Add(InsertWorkerNameSql).With("worker", worker.Owner).With("names", worker.NameIds);
    }

    // Its names go with it. language=postgresql
    private const string DeleteWorkerSql = "delete from errand.errand_workers where id = @id returning id";

    internal static void Delete(Turn turn, long owner) => turn.Add(DeleteWorkerSql).With("id", owner);

    // language=postgresql
    internal const string BeatSql = "update errand.errand_workers set beat = errand.errand_now_ms(@now) where id = @id";
}
