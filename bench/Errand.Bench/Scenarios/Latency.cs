using System.Diagnostics;
using Errand.Bench.Crew;

namespace Errand.Bench.Scenarios;

/// <summary>
/// How long a task waits for a free worker: from before the call that enqueues it until its handler starts, one task at a time, at
/// random moments. The worker is in the caller's process or in another one.
/// </summary>
/// <remarks>
/// With a worker in another process, <c>busy</c> is a task every few milliseconds, which keeps its polling awake; <c>idle</c> is one in
/// a second. <c>result</c> is from before the enqueue until the caller has the result that the other process stored.
/// </remarks>
internal sealed class Latency(Site site) : IScenario
{
    private const int WarmUps = 200;
    private const int Many = 1_000;
    private const int Few = 25;

    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Seldom = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public string Name => "latency";

    public string Backend => site.Backend;

    public string Summary => "from an enqueue to the start of its handler, in the same process and in another one";

    public IReadOnlyList<Metric> Metrics { get; } = [new("p50Ms", 3), new("p99Ms", 2), new("longestMs", 1, IsWorst: true)];

    public int Rounds => 3;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in site.Stores(Store.All))
        {
            yield return Case("same process", place => InOneProcessAsync(place, Many));
            if (!store.IsMemory)
            {
                yield return Case("other process, busy", place => AcrossAsync(place, Many, Busy, untilResult: false));
                yield return Case("other process, idle", place => AcrossAsync(place, Few, Seldom, untilResult: false));
                yield return Case("other process, result", place => AcrossAsync(place, Few, Seldom, untilResult: true));
            }

            Case Case(string name, Func<MemberPlace, Task<double[]>> measure) => new(name, store, Tasks: null, site.At((MemberPlace place, int _) => measure(place)));
        }
    }

    private static async Task<double[]> InOneProcessAsync(MemberPlace place, int count)
    {
        var startedAt = 0L; // Written by the handler, read when the result is there.
        await using var store = place.Open();
        var handlers = new TaskHandlers().Add<Note, Receipt>((note, _) =>
        {
            Volatile.Write(ref startedAt, Stopwatch.GetTimestamp());
            return ValueTask.FromResult(new Receipt(note.Index));
        });
        await using var worker = new TaskWorker(store.Backend, handlers);
        await worker.StartAsync();
        return await SampleAsync(count, Idle, async i =>
        {
            var calledAt = Stopwatch.GetTimestamp();
            var task = await store.Queue.EnqueueAsync(Note.At(i));
            await task.WaitAsync(Patience);
            return Stopwatch.GetElapsedTime(calledAt, Volatile.Read(ref startedAt));
        });
    }

    private static async Task<double[]> AcrossAsync(MemberPlace place, int count, TimeSpan longestPause, bool untilResult)
    {
        await using var store = place.Open();
        await store.Queue.InitializeAsync();
        await using var member = new MemberProcess(place, calling: TimeSpan.Zero);
        await member.ReportAsync(); // Its worker has begun.
        return await SampleAsync(count, longestPause, async i =>
        {
            var calledAt = Stopwatch.GetTimestamp();
            var task = await store.Queue.EnqueueAsync(Note.At(i));
            await task.WaitAsync(Patience);
            return untilResult
                ? Stopwatch.GetElapsedTime(calledAt)
                : Stopwatch.GetElapsedTime(calledAt, (await member.TellAsync("report")).LastDoneAt);
        });
    }

    private static async Task<double[]> SampleAsync(int count, TimeSpan longestPause, Func<int, Task<TimeSpan>> measure)
    {
        for (var i = 0; i < WarmUps; i++)
        {
            await measure(i);
        }

        var random = new Random(1);
        var waits = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            await Task.Delay(longestPause * random.NextDouble());
            waits.Add((await measure(i)).TotalMilliseconds);
        }

        waits.Sort();
        return [waits[count / 2], waits[count * 99 / 100], waits[^1]];
    }
}
