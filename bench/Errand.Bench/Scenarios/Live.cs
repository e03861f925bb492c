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
            yield return new Case("live", store, tasks, n => LiveAsync(store, n));
            yield return new Case("drain", store, tasks, n => DrainAsync(store, n));
            yield return new Case("enqueue-1", store, Math.Max(1, tasks / 20), n => EnqueueAsync(store, n, callers: 1));
            yield return new Case("enqueue-64", store, tasks, n => EnqueueAsync(store, n, callers: 64));
            yield return new Case("enqueue-256", store, tasks, n => EnqueueAsync(store, n, callers: 256));
        }
    }

    private static async Task<double> LiveAsync(Store store, int tasks)
    {
        await using var open = await store.OpenAsync();
        var tally = new Tally(tasks);
        await using var worker = new TaskWorker(open.Backend, tally.Handlers);
        await worker.StartAsync();

        var watch = Stopwatch.StartNew();
        await CallAsync(open.Queue, tasks, callers: 64);
        await tally.AllRanAsync();
        await worker.StopAsync(); // Returns when the last outcome is stored.
        var elapsed = watch.Elapsed;

        tally.CheckThatEachRanOnce();
        return tasks / elapsed.TotalSeconds;
    }

    private static async Task<double> DrainAsync(Store store, int tasks)
    {
        await using var open = await store.OpenAsync();
        await open.FillAsync(tasks);
        var elapsed = await open.DrainAsync(tasks);
        return tasks / elapsed.TotalSeconds;
    }

    private static async Task<double> EnqueueAsync(Store store, int tasks, int callers)
    {
        await using var open = await store.OpenAsync();
        var watch = Stopwatch.StartNew();
        await CallAsync(open.Queue, tasks, callers);
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
