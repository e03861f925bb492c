using System.Globalization;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Whether many queues under one pattern cost more than one queue under it: a worker drains the same tasks, spread evenly or not at all.
/// </summary>
internal sealed class Queues(Site site) : IScenario
{
    private const string One = "drain, one queue";
    private const int Many = 5_000;
    private const int Chunk = 1_000;

    private static readonly TaskWorkerOptions Pattern = new() { Queues = ["user-*"] };

    public string Name => "queues";

    public string Backend => site.Backend;

    public string Summary => "a worker with a pattern drains one queue, and 5,000";

    public int Rounds => 3;

    public int? Tasks => 60_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in site.Stores(Store.Memory, Store.Full))
        {
            yield return Case(One, queues: 1);
            yield return Case(string.Create(CultureInfo.InvariantCulture, $"drain, {Many:N0} queues"), Many);

            Case Case(string name, int queues) => new(name, store, tasks, site.At((open, n) => DrainAsync(open, n, queues))) { Raw = One };
        }
    }

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
