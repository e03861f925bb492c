using System.Diagnostics;
using System.Text.Json;

namespace Errand.Bench.Crew;

/// <summary>
/// The program in its other role: one of several processes on one store, callers and worker. Each line that it reads is
/// an order, answered with a <see cref="MemberReport"/>. It leaves when its input ends, and never outlives its starter.
/// </summary>
internal sealed class Member : IAsyncDisposable
{
    /// <summary>The first argument that asks for this role.</summary>
    internal const string Role = "member";

    /// <summary>The order to call for a while; any other line only asks for a report.</summary>
    internal const string Go = "go";

    private const int Callers = 16;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly OpenStore _store;
    private readonly TaskWorker _worker;
    private readonly BusyCount _busy = new();
    private long[] _waits = []; // Of all callers, ascending, once they have made their last call.
    private int _done; // Written by handlers.
    private long _lastDoneAt; // Written by handlers.

    private Member(MemberPlace place)
    {
        _store = place.Open();
        var handlers = new TaskHandlers().Add<Note, Receipt>((note, _) => ValueTask.FromResult(Run(note)));
        _worker = new TaskWorker(_store.Backend, handlers, logger: _busy);
    }

    internal static string[] Arguments(MemberPlace place, TimeSpan calling) =>
        [Role, $"{calling.TotalMilliseconds}", .. place.Arguments];

    internal static async Task<int> RunAsync(string[] args)
    {
        await using var limit = new Timer(_ => Environment.Exit(3), state: null, Lifetime, Timeout.InfiniteTimeSpan);
        await WarmUpAsync();
        await using var member = new Member(MemberPlace.Read(args.AsSpan(2)));
        await member._worker.StartAsync();
        member.Report();
        while (await Console.In.ReadLineAsync() is { } order)
        {
            if (order == Go)
            {
                await member.CallAsync(TimeSpan.FromMilliseconds(int.Parse(args[1])));
            }

            member.Report();
        }

        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _store.DisposeAsync();
    }

    /// <summary>In memory: what is compiled there is compiled for the file as well.</summary>
    private static async Task WarmUpAsync()
    {
        await using var store = new OpenStore(Store.Memory, ":memory:");
        foreach (var chunk in Note.Some(Measurement.WarmUpTasks / 2).Chunk(Callers))
        {
            await Task.WhenAll(chunk.Select(note => store.Queue.EnqueueAsync(note)));
        }

        await store.DrainAsync(Measurement.WarmUpTasks / 2);
        GC.Collect();
    }

    private async Task CallAsync(TimeSpan time)
    {
        var watch = Stopwatch.StartNew();
        var callers = Enumerable.Range(0, Callers).Select(_ => Task.Run(() => CallOneByOneAsync(watch, time)));
        var waits = await Task.WhenAll(callers);
        _waits = [.. waits.SelectMany(some => some).Order()];
    }

    /// <returns>How long each call took that succeeded.</returns>
    private async Task<List<long>> CallOneByOneAsync(Stopwatch watch, TimeSpan time)
    {
        List<long> waits = [];
        while (watch.Elapsed < time)
        {
            var calledAt = Stopwatch.GetTimestamp();
            try
            {
                await _store.Queue.EnqueueAsync(Note.At(waits.Count));
                waits.Add(Stopwatch.GetTimestamp() - calledAt);
            }
            catch (BackendBusyException)
            {
                _busy.Add();
            }
        }

        return waits;
    }

    private Receipt Run(Note note)
    {
        Interlocked.Increment(ref _done);
        Volatile.Write(ref _lastDoneAt, Stopwatch.GetTimestamp());
        return new Receipt(note.Index);
    }

    private void Report()
    {
        var report = new MemberReport(
            _waits.Length, Volatile.Read(ref _done), Volatile.Read(ref _lastDoneAt),
            At(_waits.Length * 99 / 100), At(_waits.Length - 1), _busy.Count);
        Console.WriteLine(JsonSerializer.Serialize(report));

        TimeSpan At(int rank) => _waits.Length == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(0, _waits[rank]);
    }
}
