using Errand.Bench.Baselines;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Throughput between the marks of the same run: <c>raw</c>, the limit that all ratios refer to; <c>raw-16</c>, the same in statements of
/// sixteen rows, which is the limit to approach; and <c>naive</c>, a queue made by hand.
/// Enqueueing is compared with <c>naive</c>, <c>live</c> with <c>live-naive</c>; <c>drain</c> with none, because
/// <c>live-naive</c> enqueues as well and a ratio to it would flatter.
/// </summary>
internal sealed class Limit : IScenario
{
    private const string Raw = "raw";
    private const string NaiveEnqueue = "naive";
    private const string NaiveLive = "live-naive";

    public string Name => "limit";

    public string Summary => "callers, a worker, and both together, against the raw limit and a queue made by hand";

    public int Rounds => 7;

    public int? Tasks => 200_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in Store.All)
        {
            var few = CommittedAlone(store, tasks);
            yield return new Case(Raw, store, tasks, RawInserts.MeasureAsync) { Raw = Raw };
            yield return new Case("raw-16", store, tasks, RawInserts.MeasureBySixteenAsync) { Raw = Raw };
            yield return Case(NaiveEnqueue, few, Naive.EnqueueAsync, NaiveEnqueue);
            yield return Case(NaiveLive, few, Naive.LiveAsync, NaiveLive);
            foreach (var callers in (int[])[1, 64, 256])
            {
                var measure = OpenStore.Measure((open, n) => Load.EnqueueAsync(open, n, callers));
                yield return Case($"enqueue-{callers}", callers == 1 ? few : tasks, measure, NaiveEnqueue);
            }

            yield return Case("enqueue-bulk", tasks, OpenStore.Measure(Load.EnqueueManyAsync), NaiveEnqueue);
            yield return Case("drain", tasks, OpenStore.Measure(Load.DrainAsync), naive: null);
            yield return Case("drain, blocking", tasks, OpenStore.Measure(Load.DrainBlockingAsync), naive: null);
            yield return Case("live", tasks, OpenStore.Measure((open, n) => Load.LiveAsync(open, n, callers: 64)), NaiveLive);
            yield return Case("live-256", tasks, OpenStore.Measure((open, n) => Load.LiveAsync(open, n, callers: 256)), NaiveLive);

            Case Case(string name, int count, Func<Place, int, Task<double[]>> measure, string? naive) =>
                new(name, store, count, measure) { Raw = Raw, Naive = naive };
        }
    }

    /// <summary>Fewer where each task pays for a whole commit, so that every case takes about a second.</summary>
    private static int CommittedAlone(Store store, int tasks)
    {
        var divisor = store == Store.Full ? 100 : store == Store.Relaxed ? 10 : 4;
        return (tasks + divisor - 1) / divisor;
    }
}
