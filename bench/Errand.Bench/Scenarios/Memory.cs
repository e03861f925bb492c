using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Bytes that this process allocates for a task: its caller's part, its worker's part, and both together, the payload, its JSON and
/// the handler included.
/// </summary>
internal sealed class Memory : IScenario
{
    private readonly PostgresServer? _server;

    /// <summary>On SQLite.</summary>
    internal Memory()
    {
    }

    internal Memory(PostgresServer server) => _server = server;

    public string Name => "memory";

    public string Backend => _server is null ? "sqlite" : PostgresServer.Backend;

    public string Summary => "what is allocated for each task";

    public IReadOnlyList<Metric> Metrics { get; } = [new("bytesPerTask"), new("tasksPerSecond")];

    public int Rounds => 3;

    public int? Tasks => 50_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])(_server is null ? [.. Store.All] : [Store.Postgres]))
        {
            yield return Case("enqueue-64", before: NothingAsync, (open, n) => Load.EnqueueAsync(open, n, callers: 64));
            yield return Case("drain", before: (open, n) => open.FillAsync(n), Load.RunAsync);
            yield return Case("live", before: NothingAsync, (open, n) => Load.LiveAsync(open, n, callers: 64));

            Case Case(string name, Func<OpenStore, int, Task> before, Func<OpenStore, int, Task<double>> load) =>
                new(name, store, tasks, At((open, n) => MeasureAsync(open, n, before, load)));
        }
    }

    private static Task NothingAsync(OpenStore store, int tasks) => Task.CompletedTask;

    private Func<Place, int, Task<double[]>> At(Func<OpenStore, int, Task<double[]>> measure) => _server is null
        ? (place, tasks) => measure(new OpenStore(place.Store, place.Path), tasks)
        : _server.Measure((ServerPlace place, int tasks) => measure(place.Open(), tasks));

    private static async Task<double[]> MeasureAsync(
        OpenStore opened, int tasks, Func<OpenStore, int, Task> before, Func<OpenStore, int, Task<double>> load)
    {
        await using var store = opened;
        await store.Queue.InitializeAsync();
        await before(store, tasks);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var rate = await load(store, tasks);
        return [(GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)tasks, rate];
    }
}
