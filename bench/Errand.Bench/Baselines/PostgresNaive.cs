using System.Diagnostics;
using Errand.Bench.Postgres;

namespace Errand.Bench.Baselines;

/// <summary>What the queue made by hand reaches on sixteen connections: callers alone, and end to end.</summary>
internal static class PostgresNaive
{
    private const int Callers = PostgresRaw.Connections;
    private const int Workers = PostgresRaw.Connections;

    internal static async Task<double[]> EnqueueAsync(ServerPlace place, int tasks)
    {
        await using var queue = await PostgresNaiveQueue.CreateAsync(place);
        var watch = Stopwatch.StartNew();
        await CallAsync(queue, tasks, enqueued: null);
        return [tasks / watch.Elapsed.TotalSeconds];
    }

    /// <summary>
    /// Callers and workers share the connections, each taken by who has waited longest. A worker is woken for each task
    /// and never polls.
    /// </summary>
    internal static async Task<double[]> LiveAsync(ServerPlace place, int tasks)
    {
        await using var queue = await PostgresNaiveQueue.CreateAsync(place);
        using var enqueued = new SemaphoreSlim(0);
        var tally = new Tally(tasks);
        var taken = 0;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(
            Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)).Append(CallAsync(queue, tasks, enqueued)));
        var elapsed = watch.Elapsed;
        tally.CheckThatEachRanOnce();
        return [tasks / elapsed.TotalSeconds];

        // Who is woken later may see newer tasks, and take the older one that this statement has in its snapshot.
        async Task<(long Id, Note Note)> ReserveAsync()
        {
            while (true)
            {
                if (await queue.ReserveAsync() is { } reserved)
                {
                    return reserved;
                }
            }
        }

        async Task WorkAsync()
        {
            while (Interlocked.Increment(ref taken) <= tasks)
            {
                await enqueued.WaitAsync();
                var (id, note) = await ReserveAsync();
                await queue.MarkSuccessAsync(id, tally.Run(note));
            }
        }
    }

    private static Task CallAsync(PostgresNaiveQueue queue, int tasks, SemaphoreSlim? enqueued)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            for (var i = Interlocked.Increment(ref next); i < tasks; i = Interlocked.Increment(ref next))
            {
                await queue.EnqueueAsync(Note.At(i));
                enqueued?.Release();
            }
        })));
    }
}
