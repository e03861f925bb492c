using System.Globalization;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Whether many queues under one pattern cost more than one queue under it: a worker drains the same tasks, spread evenly or not at all.
/// </summary>
internal sealed class Queues : IScenario
{
    private const string One = "drain, one queue";
    private const int Many = 5_000;
    private const int Chunk = 1_000;

    private static readonly TaskWorkerOptions Pattern = new() { Queues = ["user-*"] };

    private readonly PostgresServer? _server;

    /// <summary>On SQLite.</summary>
    internal Queues()
    {
    }

    internal Queues(PostgresServer server) => _server = server;

    public string Name => "queues";

    public string Backend => _server is null ? "sqlite" : PostgresServer.Backend;

    public string Summary => "a worker with a pattern drains one queue, and 5,000";

    public int Rounds => 3;

    public int? Tasks => 60_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])(_server is null ? [Store.Memory, Store.Full] : [Store.Postgres]))
        {
            yield return Case(One, queues: 1);
            yield return Case(string.Create(CultureInfo.InvariantCulture, $"drain, {Many:N0} queues"), Many);

            Case Case(string name, int queues) => new(name, store, tasks, At((open, n) => DrainAsync(open, n, queues))) { Raw = One };
        }
    }

    private Func<Place, int, Task<double[]>> At(Func<OpenStore, int, Task<double>> measure) =>
        _server is null ? OpenStore.Measure(measure) : _server.Measure(measure);

    private static async Task<double> DrainAsync(OpenStore store, int tasks, int queues)
    {
        foreach (var chunk in Note.Some(tasks).Chunk(Chunk))
        {
            await store.Queue.EnqueueManyAsync(chunk, note => new EnqueueOptions { Queue = $"user-{note.Index % queues}" });
        }

        var elapsed = await store.DrainAsync(tasks, options: Pattern);
        return tasks / elapsed.TotalSeconds;
    }
}
