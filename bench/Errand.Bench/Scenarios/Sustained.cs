using System.Diagnostics;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// A minute of live load on PostgreSQL, where every task leaves dead rows: whether the end of it is as fast as its
/// beginning, and how large the table of live tasks has become by then, its indexes included.
/// </summary>
internal sealed class Sustained(PostgresServer server) : IScenario
{
    private const int Windows = 6;

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
        foreach (var callers in (int[])[64, 256])
        {
            var measure = server.Measure((place, _) => MeasureAsync(place, callers));
            yield return new Case($"sustained-{callers}", Store.Postgres, Tasks: null, measure);
        }
    }

    private async Task<double[]> MeasureAsync(ServerPlace place, int callers)
    {
        await WarmUpAsync(callers); // Else the first window is slow, and the last looks good beside it.
        var (enqueued, done, isOver) = (0, 0, false);
        await using var store = place.Open();
        await store.Queue.InitializeAsync();
        var handlers = new TaskHandlers().Add<Note, Receipt>((note, _) => Run(note));
        await using var worker = new TaskWorker(store.Backend, handlers);
        await worker.StartAsync();
        var watch = Stopwatch.StartNew();
        var calling = Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(CallAsync)));
        var rates = new double[Windows];
        for (var window = 0; window < Windows; window++)
        {
            var (doneBefore, before) = (Volatile.Read(ref done), watch.Elapsed);
            await Task.Delay(Window);
            rates[window] = (Volatile.Read(ref done) - doneBefore) / (watch.Elapsed - before).TotalSeconds;
        }

        var left = Volatile.Read(ref enqueued) - Volatile.Read(ref done);
        var (live, finished) = (await place.SizeOfAsync("tasks"), await place.SizeOfAsync("finished"));
        Volatile.Write(ref isOver, true);
        await calling;
        await worker.StopAsync();
        var (first, last) = (rates[0], rates[^1]);
        return [rates.Average(), first, last, last / first, rates.Min(), Math.Max(0, left), live, finished];

        Receipt Run(Note note)
        {
            Interlocked.Increment(ref done);
            return new Receipt(note.Index);
        }

        async Task CallAsync()
        {
            while (!Volatile.Read(ref isOver))
            {
                await store.Queue.EnqueueAsync(Note.At(Interlocked.Increment(ref enqueued)));
            }
        }
    }

    private async Task WarmUpAsync(int callers)
    {
        await using var place = await server.OpenPlaceAsync();
        await using var store = place.Open();
        await Load.LiveAsync(store, Measurement.WarmUpTasks * 2, callers);
    }
}
