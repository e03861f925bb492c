using System.Diagnostics;
using Errand.Bench.Crew;

namespace Errand.Bench.Scenarios;

/// <summary>
/// What an idle worker costs: the processor time of this process over ten seconds, in hundredths of a core, and what it allocates
/// meanwhile. A server's own part is not in it.
/// </summary>
internal sealed class Idle(Site site) : IScenario
{
    // The compiler is busy for a while with what the warm-up showed to be worth it.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    public string Name => "idle";

    public string Backend => site.Backend;

    public string Summary => "what an idle worker takes of a core";

    public IReadOnlyList<Metric> Metrics { get; } = [new("percentOfACore", 2), new("allocatedKiBPerSecond", 1)];

    public int Rounds => 3;

    public IEnumerable<Case> Cases(int tasks)
    {
        var measure = site.At((MemberPlace place, int _) => MeasureAsync(place));
        return site.Stores(Store.All).Select(store => new Case("idle worker", store, Tasks: null, measure));
    }

    private static async Task<double[]> MeasureAsync(MemberPlace place)
    {
        await using var store = place.Open();
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
