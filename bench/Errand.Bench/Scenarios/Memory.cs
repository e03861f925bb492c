using Errand.Bench.Crew;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Bytes that this process allocates for a task: its caller's part, its worker's part, and both together, the payload, its JSON and
/// the handler included.
/// </summary>
internal sealed class Memory(Site site) : IScenario
{
    public string Name => "memory";

    public string Backend => site.Backend;

    public string Summary => "what is allocated for each task";

    public IReadOnlyList<Metric> Metrics { get; } = [new("bytesPerTask"), new("tasksPerSecond")];

    public int Rounds => 3;

    public int? Tasks => 50_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in site.Stores(Store.All))
        {
            yield return Case("enqueue-64", before: NothingAsync, (open, n) => Load.EnqueueAsync(open, n, callers: 64));
            yield return Case("drain", before: (open, n) => open.FillAsync(n), Load.RunAsync);
            yield return Case("live", before: NothingAsync, (open, n) => Load.LiveAsync(open, n, callers: 64));

            Case Case(string name, Func<OpenStore, int, Task> before, Func<OpenStore, int, Task<double>> load) =>
                new(name, store, tasks, site.At((MemberPlace place, int n) => MeasureAsync(place, n, before, load)));
        }
    }

    private static Task NothingAsync(OpenStore store, int tasks) => Task.CompletedTask;

    private static async Task<double[]> MeasureAsync(
        MemberPlace place, int tasks, Func<OpenStore, int, Task> before, Func<OpenStore, int, Task<double>> load)
    {
        await using var store = place.Open();
        await store.Queue.InitializeAsync();
        await before(store, tasks);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var rate = await load(store, tasks);
        return [(GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)tasks, rate];
    }
}
