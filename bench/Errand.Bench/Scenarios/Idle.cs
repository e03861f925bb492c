using System.Diagnostics;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// What an idle worker costs: the processor time of this process over ten seconds, in hundredths of a core, and what it allocates
/// meanwhile. A server's own part is not in it.
/// </summary>
internal sealed class Idle : IScenario
{
    // The compiler is busy for a while with what the warm-up showed to be worth it.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly PostgresServer? _server;

    /// <summary>On SQLite.</summary>
    internal Idle()
    {
    }

    internal Idle(PostgresServer server) => _server = server;

    public string Name => "idle";

    public string Backend => _server is null ? "sqlite" : PostgresServer.Backend;

    public string Summary => "what an idle worker takes of a core";

    public IReadOnlyList<Metric> Metrics { get; } = [new("percentOfACore", 2), new("allocatedKiBPerSecond", 1)];

    public int Rounds => 3;

    public IEnumerable<Case> Cases(int tasks)
    {
        if (_server is not null)
        {
            return [Case(Store.Postgres, _server.Measure((place, _) => MeasureAsync(place.Open())))];
        }

        return Store.All.Select(store => Case(store, (place, _) => MeasureAsync(new OpenStore(place.Store, place.Path))));

        static Case Case(Store store, Func<Place, int, Task<double[]>> measure) => new("idle worker", store, Tasks: null, measure);
    }

    private static async Task<double[]> MeasureAsync(OpenStore opened)
    {
        await using var store = opened;
        await Load.LiveAsync(store, tasks: 1_000, callers: 1);
        await using var worker = new TaskWorker(store.Backend, new Tally(1).Handlers);
        await worker.StartAsync();
        await Task.Delay(Rest);
        var (before, allocated) = (Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(precise: true));
        var watch = Stopwatch.StartNew();
        await Task.Delay(Window);
        var (spent, seconds) = (Environment.CpuUsage.TotalTime - before, watch.Elapsed.TotalSeconds);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        return [spent.TotalSeconds / seconds * 100, allocated / 1024.0 / seconds];
    }
}
