using System.Diagnostics;

namespace Errand.Bench.Scenarios;

/// <summary>What is asked of Errand on whatever store: each gives tasks per second.</summary>
internal static class Load
{
    internal static async Task<double> EnqueueAsync(OpenStore store, int tasks, int callers)
    {
        var watch = Stopwatch.StartNew();
        await CallAsync(store.Queue, tasks, callers);
        return tasks / watch.Elapsed.TotalSeconds;
    }

    internal static async Task<double> EnqueueManyAsync(OpenStore store, int tasks)
    {
        var watch = Stopwatch.StartNew();
        await store.FillAsync(tasks);
        return tasks / watch.Elapsed.TotalSeconds;
    }

    internal static async Task<double> DrainAsync(OpenStore store, int tasks)
    {
        await store.FillAsync(tasks);
        return await RunAsync(store, tasks);
    }

    /// <summary>The same with a handler that may block.</summary>
    internal static async Task<double> DrainBlockingAsync(OpenStore store, int tasks)
    {
        await store.FillAsync(tasks);
        var elapsed = await store.DrainAsync(tasks, blocking: true);
        return tasks / elapsed.TotalSeconds;
    }

    /// <summary>What is there already.</summary>
    internal static async Task<double> RunAsync(OpenStore store, int tasks)
    {
        var elapsed = await store.DrainAsync(tasks);
        return tasks / elapsed.TotalSeconds;
    }

    internal static async Task<double> LiveAsync(OpenStore store, int tasks, int callers, Action<TaskHandlers>? others = null)
    {
        var elapsed = await store.DrainAsync(tasks, meanwhile: () => CallAsync(store.Queue, tasks, callers), others);
        return tasks / elapsed.TotalSeconds;
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
