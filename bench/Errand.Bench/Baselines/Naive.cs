using System.Diagnostics;

namespace Errand.Bench.Baselines;

/// <summary>What the queue made by hand reaches: callers alone, and end to end.</summary>
internal static class Naive
{
    /// <summary>One caller.</summary>
    internal static Task<double[]> EnqueueAsync(Place place, int tasks)
    {
        using var queue = new NaiveQueue(place);
        var watch = Stopwatch.StartNew();
        foreach (var note in Note.Some(tasks))
        {
            queue.Enqueue(note);
        }

        return Task.FromResult<double[]>([tasks / watch.Elapsed.TotalSeconds]);
    }

    /// <summary>One caller beside one worker, which is woken for each task and never polls.</summary>
    internal static async Task<double[]> LiveAsync(Place place, int tasks)
    {
        using var queue = new NaiveQueue(place);
        using var enqueued = new SemaphoreSlim(0);
        var tally = new Tally(tasks);
        var watch = Stopwatch.StartNew();
        var working = Task.Factory.StartNew(Work, TaskCreationOptions.LongRunning);
        foreach (var note in Note.Some(tasks))
        {
            queue.Enqueue(note);
            enqueued.Release();
        }

        await working;
        var elapsed = watch.Elapsed;
        tally.CheckThatEachRanOnce();
        return [tasks / elapsed.TotalSeconds];

        void Work()
        {
            for (var i = 0; i < tasks; i++)
            {
                enqueued.Wait();
                var (id, note) = queue.Reserve()
                    ?? throw new InvalidOperationException("The worker was woken for a task that is not there.");
                queue.MarkSuccess(id, tally.Run(note));
            }
        }
    }
}
