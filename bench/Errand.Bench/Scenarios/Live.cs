using System.Diagnostics;

namespace Errand.Bench.Scenarios;

/// <summary>Many callers at once, and one worker with default options.</summary>
internal sealed class Live : IScenario
{
    public string Name => "live";

    public string Summary => "64 callers beside a worker; a worker alone; 1, 64 and 256 callers alone";

    public int Rounds => 3;

    public int? Tasks => 200_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in Store.All)
        {
            yield return new Case("live", store, tasks, LiveAsync);
            yield return new Case("drain", store, tasks, DrainAsync);
            foreach (var callers in (int[])[1, 64, 256])
            {
                var count = callers == 1 ? (tasks + 19) / 20 : tasks; // One caller alone pays for a whole commit each time.
                yield return new Case($"enqueue-{callers}", store, count, (open, n) => EnqueueAsync(open, n, callers));
            }
        }
    }

    private static async Task<double> LiveAsync(OpenStore store, int tasks)
    {
        var elapsed = await store.DrainAsync(tasks, meanwhile: () => CallAsync(store.Queue, tasks, callers: 64));
        return tasks / elapsed.TotalSeconds;
    }

    private static async Task<double> DrainAsync(OpenStore store, int tasks)
    {
        await store.FillAsync(tasks);
        var elapsed = await store.DrainAsync(tasks);
        return tasks / elapsed.TotalSeconds;
    }

    private static async Task<double> EnqueueAsync(OpenStore store, int tasks, int callers)
    {
        var watch = Stopwatch.StartNew();
        await CallAsync(store.Queue, tasks, callers);
        return tasks / watch.Elapsed.TotalSeconds;
    }

    private static Task CallAsync(TaskQueue queue, int tasks, int callers)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            for (var i = Interlocked.Increment(ref next); i < tasks; i = Interlocked.Increment(ref next))
            {
                await queue.EnqueueAsync(Note.At(i));
            }
        })));
    }
}
