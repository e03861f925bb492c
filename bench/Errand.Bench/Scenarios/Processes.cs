using System.Diagnostics;
using Errand.Bench.Crew;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Several processes on one file, each 16 callers and a worker with default options: what they reach together, from the
/// first call until every task has run, and whether each gets its share.
/// </summary>
/// <remarks>
/// A share is what one process did, of what each would have done were all equal: the smallest is told, 1 is fair. The
/// 99th percentile is that of the process where it is worst. The longest enqueue call is that of all
/// rounds, and the busy errors are those of the round with most.
/// </remarks>
internal sealed class Processes : IScenario
{
    private static readonly TimeSpan Calling = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public string Name => "processes";

    public string Summary => "1, 2 and 4 processes on one file, each callers and a worker: throughput and fairness";

    public IReadOnlyList<Metric> Metrics { get; } =
    [
        Metric.TasksPerSecond, new("leastEnqueuedShare", 2), new("leastDoneShare", 2), new("enqueueP99Ms", 2),
        new("longestEnqueueMs", 1, IsWorst: true), new("busyErrors", IsWorst: true),
    ];

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])[Store.Full, Store.Relaxed])
        {
            foreach (var count in (int[])[1, 2, 4])
            {
                var name = $"processes-{count}";
                yield return new Case(name, store, Tasks: null, (place, _) => MeasureAsync(place, count)) { Raw = "processes-1" };
            }
        }
    }

    private static async Task<double[]> MeasureAsync(Place place, int count)
    {
        var crew = new List<MemberProcess>();
        try
        {
            crew.AddRange(Enumerable.Range(0, count).Select(_ => new MemberProcess(new MemberPlace(place.Store, place.Path), Calling)));
            await Task.WhenAll(crew.Select(member => member.ReportAsync()));
            var startedAt = Stopwatch.GetTimestamp();
            await Task.WhenAll(crew.Select(member => member.TellAsync(Member.Go)));
            return Sample(await AllDoneAsync(crew), startedAt);
        }
        finally
        {
            await Task.WhenAll(crew.Select(member => member.DisposeAsync().AsTask()));
        }
    }

    /// <summary>Waits until the workers have run what the callers enqueued.</summary>
    private static async Task<MemberReport[]> AllDoneAsync(List<MemberProcess> crew)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var reports = await Task.WhenAll(crew.Select(member => member.TellAsync("report")));
            var left = reports.Sum(report => report.Enqueued - report.Done);
            if (left == 0)
            {
                return reports;
            }

            if (left < 0 || watch.Elapsed > Patience)
            {
                throw new InvalidOperationException(
                    left < 0 ? $"{-left} tasks ran twice." : $"{left} tasks did not run.");
            }

            await Task.Delay(LookInterval);
        }
    }

    private static double[] Sample(MemberReport[] reports, long startedAt) =>
    [
        reports.Sum(report => report.Done)
            / Stopwatch.GetElapsedTime(startedAt, reports.Max(report => report.LastDoneAt)).TotalSeconds,
        reports.Min(report => report.Enqueued) / reports.Average(report => report.Enqueued),
        reports.Min(report => report.Done) / reports.Average(report => report.Done),
        reports.Max(report => report.P99.TotalMilliseconds),
        reports.Max(report => report.Longest.TotalMilliseconds),
        reports.Sum(report => report.Busy),
    ];
}
