using System.Diagnostics;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// A minute of live load on PostgreSQL, where every task leaves dead rows: whether the end of it is as fast as its
/// beginning, and how large the table of live tasks has become by then, its indexes included.
/// </summary>
/// <remarks>
/// <c>sustained</c> is steady: callers wait while a thousand tasks are left, so what grows is only what is dead. In
/// <c>sustained-open</c> they never wait for the worker, and whatever it cannot keep up with is left at the end.
/// </remarks>
internal sealed class Sustained(PostgresServer server) : IScenario
{
    private const int Windows = 6;
    private const int Callers = 64;
    private const int MostLeft = 1_000;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    public string Name => "sustained";

    public string Backend => PostgresServer.Backend;

    public string Summary => "a minute of live load: does it stay as fast, and its table small?";

    public IReadOnlyList<Metric> Metrics { get; } =
    [
        Metric.TasksPerSecond, new("first10s"), new("last10s"), new("lastToFirst", 2), new("slowest10s"),
        new("leftAtEnd"), new("tasksMB", 1, IsWorst: true), new("finishedMB", 1, IsWorst: true),
    ];

    public int Rounds => 1;

    public IEnumerable<Case> Cases(int tasks)
    {
        var steady = server.Measure((place, _) => MeasureAsync(place, MostLeft));
        yield return new Case("sustained", Store.Postgres, Tasks: null, steady);
        var open = server.Measure((place, _) => MeasureAsync(place, int.MaxValue));
        yield return new Case("sustained-open", Store.Postgres, Tasks: null, open);
    }

    private async Task<double[]> MeasureAsync(ServerPlace place, int mostLeft)
    {
        await WarmUpAsync(); // Else the first window is slow, and the last looks good beside it.
        var (enqueued, done, isOver) = (0, 0, false);
        using var room = new SemaphoreSlim(mostLeft);
        await using var store = place.Open();
        await store.Queue.InitializeAsync();
        var handlers = new TaskHandlers().Add<Note, Receipt>((note, _) => ValueTask.FromResult(Run(note)));
        await using var worker = new TaskWorker(store.Backend, handlers);
        await worker.StartAsync();
        var watch = Stopwatch.StartNew();
        var calling = Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(CallAsync)));
        var rates = new double[Windows];
        for (var window = 0; window < Windows; window++)
        {
            var (doneBefore, before) = (Volatile.Read(ref done), watch.Elapsed);
            await Task.Delay(Window);
            rates[window] = (Volatile.Read(ref done) - doneBefore) / (watch.Elapsed - before).TotalSeconds;
        }

        var left = Volatile.Read(ref enqueued) - Volatile.Read(ref done);
        var (live, finished) = (await place.SizeOfAsync("errand_tasks"), await place.SizeOfAsync("errand_finished"));
        Volatile.Write(ref isOver, true);
        await calling;
        await worker.StopAsync();
        var (first, last) = (rates[0], rates[^1]);
        return [rates.Average(), first, last, last / first, rates.Min(), Math.Max(0, left), live, finished];

        Receipt Run(Note note)
        {
            Interlocked.Increment(ref done);
            room.Release();
            return new Receipt(note.Index);
        }

        async Task CallAsync()
        {
            while (!Volatile.Read(ref isOver))
            {
                await room.WaitAsync();
                await store.Queue.EnqueueAsync(Note.At(Interlocked.Increment(ref enqueued)));
            }
        }
    }

    private async Task WarmUpAsync()
    {
        await using var place = await server.OpenPlaceAsync();
        await using var store = place.Open();
        await Load.LiveAsync(store, Measurement.WarmUpTasks * 2, Callers);
    }
}
