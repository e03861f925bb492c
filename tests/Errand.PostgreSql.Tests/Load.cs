using System.Collections.Concurrent;
using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

[TaskName("count")]
internal sealed record Count(int Number) : ITask<int>;

/// <summary>Callers that enqueue, and a worker that counts how often each task is run.</summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly ConcurrentDictionary<int, int> _runs = new();
    private readonly ConcurrentDictionary<TaskId, int> _acknowledged = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskQueue _queue;
    private readonly TaskWorker _worker;
    private Task[] _callers = [];
    private int _next;
    private int _refusals;

    private Load(IBackend backend)
    {
        _queue = new TaskQueue(backend);
        _worker = new TaskWorker(
            backend,
            new TaskHandlers().Add<Count, int>((task, _) =>
            {
                _runs.AddOrUpdate(task.Number, 1, (_, count) => count + 1);
                return task.Number;
            }),
            new TaskWorkerOptions { Heartbeat = TimeSpan.FromMilliseconds(200) });
    }

    internal int Acknowledged => _acknowledged.Count;

    /// <summary>Enqueues that ended in an error. Each was transient, or the load fails.</summary>
    internal int Refusals => Volatile.Read(ref _refusals);

    internal static async Task<Load> StartAsync(IBackend backend)
    {
        var load = new Load(backend);
        await load._worker.StartAsync();
        load._callers = [.. Enumerable.Range(0, 16).Select(_ => Task.Run(load.CallAsync))];
        return load;
    }

    internal Task ReachesAsync(int count) =>
        Eventually.TrueAsync(() => Acknowledged >= count, $"{count} tasks are acknowledged, after {Acknowledged}");

    /// <summary>Every acknowledged task succeeds, and no task has run more than once.</summary>
    internal async Task EndsAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_callers);
        foreach (var (id, number) in _acknowledged)
        {
            var result = await _queue.GetResultAsync(id, Eventually.Bound);
            Assert.Equal((TaskState.Succeeded, 1), (result!.State, result.Attempts));
            Assert.Equal(number, result.GetValue<int>());
        }

        Assert.All(_runs, run => Assert.Equal(1, run.Value));
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_callers);
        await _worker.DisposeAsync();
        await _queue.DisposeAsync();
        _ending.Dispose();
    }

    private async Task CallAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            var number = Interlocked.Increment(ref _next);
            try
            {
                _acknowledged[(await _queue.EnqueueAsync(new Count(number))).Id] = number;
            }
            catch (BackendException e) when (e.IsTransient)
            {
                Interlocked.Increment(ref _refusals); // It was told; it may exist or not.
            }

            await Task.Delay(5);
        }
    }
}
