using System.Diagnostics;
using System.Threading.Channels;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// How long a task of one backend waits for the idle worker of another, as in two processes: from before the call that
/// enqueues it until its handler starts. One task at a time, at random moments.
/// </summary>
internal sealed class Pickup(PostgresServer server) : IScenario
{
    private const int WarmUps = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    public string Name => "pickup";

    public string Backend => PostgresServer.Backend;

    public string Summary => "from a caller in one process to a worker in another: notified, and by polling";

    public IReadOnlyList<Metric> Metrics { get; } =
        [new("p50Ms", 2), new("p90Ms", 2), new("p99Ms", 2), new("longestMs", 1, IsWorst: true)];

    public int Rounds => 3;

    public IEnumerable<Case> Cases(int tasks)
    {
        yield return Case("pickup-listen", 500, useNotify: true, TimeSpan.FromMilliseconds(50));
        yield return Case("pickup-poll", 40, useNotify: false, TimeSpan.FromSeconds(1));

        Case Case(string name, int count, bool useNotify, TimeSpan pause)
        {
            var measure = server.Measure((place, _) => MeasureAsync(place, count, useNotify, pause));
            return new Case(name, Store.Postgres, Tasks: null, measure);
        }
    }

    private static async Task<double[]> MeasureAsync(
        ServerPlace place, int count, bool useNotify, TimeSpan longestPause)
    {
        var started = Channel.CreateUnbounded<long>();
        await using var caller = place.Open(useNotify);
        await using var other = place.Open(useNotify);
        var handlers = new TaskHandlers().Add<Note, Receipt>((note, _) =>
        {
            started.Writer.TryWrite(Stopwatch.GetTimestamp());
            return new Receipt(note.Index);
        });
        await using var worker = new TaskWorker(other.Backend, handlers);
        await caller.Queue.InitializeAsync();
        await worker.StartAsync();
        await Task.Delay(Settling); // Its listener has connected by then.

        var random = new Random(1);
        var waits = new List<double>();
        for (var i = -WarmUps; i < count; i++)
        {
            await Task.Delay(longestPause * random.NextDouble());
            var calledAt = Stopwatch.GetTimestamp();
            await caller.Queue.EnqueueAsync(Note.At(i));
            var startedAt = await started.Reader.ReadAsync().AsTask().WaitAsync(Patience);
            if (i >= 0)
            {
                waits.Add(Stopwatch.GetElapsedTime(calledAt, startedAt).TotalMilliseconds);
            }
        }

        waits.Sort();
        return [At(50), At(90), At(99), waits[^1]];

        double At(int percent) => waits[(waits.Count - 1) * percent / 100];
    }
}
