namespace Errand.PostgreSql.Workers;

/// <summary>The incarnations of this backend. The writer's alone.</summary>
internal sealed class LocalWorkers(WaitingWorkers<Turn, Waiting> waiting, PostgresStore store) : Part<Turn>
{
    private readonly Dictionary<long, LocalWorker> _workers = [];
    private string _mark = ""; // Of the store that they have begun in.

    internal override Moments Hears => Moments.Doubted;

    internal int Count => _workers.Count;

    internal Dictionary<long, LocalWorker>.ValueCollection All => _workers.Values;

    internal long[] Owners() => [.. _workers.Keys];

    internal LocalWorker? Find(long owner) => _workers.GetValueOrDefault(owner);

    internal void Add(LocalWorker worker) => _workers[worker.Owner] = worker;

    /// <summary>From here on, inside this turn already, the owner is given nothing more.</summary>
    internal void Drop(long owner)
    {
        _workers.Remove(owner);
        waiting.FailOf(owner, new WorkerLostException(owner));
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
}
