using System.Collections.Concurrent;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>How a worker stops.</summary>
public sealed partial class WorkerTests
{
    /// <summary>A handler that says that it has started, and returns when it is let.</summary>
    private sealed class Gate
    {
        public TaskCompletionSource Started { get; } = new();

        public TaskCompletionSource MayReturn { get; } = new();

        public TaskHandlers Handlers => new TaskHandlers().Add<Add, int>(async (task, _) =>
        {
            Started.TrySetResult();
            await MayReturn.Task;
            return task.Left;
        });
    }

    [Fact]
    public async Task A_stop_takes_no_more_tasks_and_lets_running_handlers_finish()
    {
        var gate = new Gate();
        await using var worker = Worker(
            gate.Handlers,
            new TaskWorkerOptions { Concurrency = 1 });
        await worker.StartAsync();
        var running = await _queue.EnqueueAsync(new Add(1, 0));
        var waiting = await _queue.EnqueueAsync(new Add(2, 0));
        await gate.Started.Task.WaitAsync(Bound);

        var stop = worker.StopAsync();
        gate.MayReturn.SetResult();
        await stop.WaitAsync(Bound);

        Assert.Equal(1, (await _queue.GetResultAsync(running.Id))!.GetValue<int>());
        Assert.Null(await _queue.GetResultAsync(waiting.Id));
        await worker.StartAsync();
        Assert.Equal(2, await waiting.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_stop_whose_grace_ends_gives_back_uncharged_what_heeds_its_token()
    {
        var epochs = new ConcurrentQueue<(int Attempt, long Epoch)>();
        var started = new SemaphoreSlim(0);
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>(async (_, context) =>
            {
                epochs.Enqueue((context.Attempt, context.Epoch));
                started.Release();
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }),
            new TaskWorkerOptions { ShutdownGrace = TimeSpan.Zero });
        await worker.StartAsync();
        await _queue.EnqueueAsync(new Ping());
        Assert.True(await started.WaitAsync(Bound));

        await worker.StopAsync().WaitAsync(Bound);
        await worker.StartAsync();
        Assert.True(await started.WaitAsync(Bound));

        Assert.Equal([(1, 1L), (1, 2L)], epochs);
        Assert.True(_log.Has(205));
    }

    [Fact]
    public async Task A_stop_leaves_behind_what_ignores_its_token_and_its_late_outcome_is_dropped()
    {
        var gate = new Gate();
        await using var worker = Worker(
            gate.Handlers,
            new TaskWorkerOptions { ShutdownGrace = TimeSpan.Zero });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Add(1, 0));
        await gate.Started.Task.WaitAsync(Bound);

        await worker.StopAsync().WaitAsync(Bound);
        gate.MayReturn.SetResult();
        await Eventually.TrueAsync(() => _log.Has(202), "the late outcome is dropped");

        Assert.Null(await _queue.GetResultAsync(handle.Id));
        Assert.True(_log.Has(102));
    }

    [Fact]
    public async Task A_cancelled_stop_cuts_the_grace_short()
    {
        var started = new TaskCompletionSource();
        await using var worker = Worker(new TaskHandlers().Add<Ping>(async (_, context) =>
        {
            started.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }));
        await worker.StartAsync();
        await _queue.EnqueueAsync(new Ping());
        await started.Task.WaitAsync(Bound);

        await worker.StopAsync(new CancellationToken(canceled: true)).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.True(_log.Has(205));
    }
}
