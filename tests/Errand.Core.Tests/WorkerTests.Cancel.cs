using Errand.TestKit;

namespace Errand.Tests;

/// <summary>Tasks that are cancelled while they run, and handlers that do not heed their token.</summary>
public sealed partial class WorkerTests
{
    private static readonly Func<Ping, TaskContext, Task> UntilCancelled =
        (_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken);

    private async Task<TaskHandle> StartedAsync(SemaphoreSlim started)
    {
        var handle = await _queue.EnqueueAsync(new Ping());
        Assert.True(await started.WaitAsync(Bound));
        return handle;
    }

    [Fact]
    public async Task A_running_tasks_token_is_cancelled_and_it_ends_as_cancelled_and_is_not_tried_again()
    {
        var started = new SemaphoreSlim(0);
        var starts = 0;
        await using var worker = Worker(new TaskHandlers().Add<Ping>(async (task, context) =>
        {
            Interlocked.Increment(ref starts);
            started.Release();
            await UntilCancelled(task, context);
        }));
        await worker.StartAsync();
        var handle = await StartedAsync(started);

        Assert.Equal(CancelOutcome.Requested, await _queue.CancelAsync(handle.Id));

        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(Bound));
        Assert.Equal((TaskState.Cancelled, null, 1), (failed.Result.State, failed.Result.Error, starts));
        Assert.Equal($"Task {handle.Id} ('ping') was cancelled.", failed.Message);
        Assert.Equal(CancelOutcome.AlreadyFinished, await _queue.CancelAsync(handle.Id));
    }

    [Fact]
    public async Task A_task_that_waits_is_cancelled_without_a_worker()
    {
        var handle = await _queue.EnqueueAsync(new Ping());

        Assert.Equal(CancelOutcome.Cancelled, await _queue.CancelAsync(handle.Id));

        await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(Bound));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => _queue.CancelAsync(new TaskId(handle.Id.Value + 1_000_000)));
    }

    [Fact]
    public async Task What_a_cancelled_handler_throws_is_kept_and_what_it_returns_counts()
    {
        var started = new SemaphoreSlim(0);
        await using var worker = Worker(new TaskHandlers()
            .Add<Ping>(async (task, context) =>
            {
                started.Release();
                await UntilCancelled(task, context).ContinueWith(_ => { }, TaskScheduler.Default);
                throw new FormatException("half done");
            })
            .Add<Add, int>(async (task, context) =>
            {
                started.Release();
                await UntilCancelled(new Ping(), context).ContinueWith(_ => { }, TaskScheduler.Default);
                return task.Left;
            }));
        await worker.StartAsync();
        var ping = await StartedAsync(started);
        var add = await _queue.EnqueueAsync(new Add(7, 0));
        Assert.True(await started.WaitAsync(Bound));

        await _queue.CancelAsync(ping.Id);
        await _queue.CancelAsync(add.Id);

        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => ping.WaitAsync(Bound));
        Assert.Equal(TaskState.Cancelled, failed.Result.State);
        Assert.Contains("half done", failed.Result.Error, StringComparison.Ordinal);
        Assert.Equal(7, await add.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_stop_after_a_cancel_does_not_bring_the_task_back()
    {
        var started = new SemaphoreSlim(0);
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>(async (task, context) =>
            {
                started.Release();
                await UntilCancelled(task, context);
            }),
            new TaskWorkerOptions { ShutdownGrace = TimeSpan.Zero });
        await worker.StartAsync();
        var handle = await StartedAsync(started);
        await _queue.CancelAsync(handle.Id);

        await worker.StopAsync().WaitAsync(Bound); // Whichever of the two cancels the token first.

        Assert.Equal(TaskState.Cancelled, (await _queue.GetResultAsync(handle.Id, Bound))!.State);
    }

    [Fact]
    public async Task A_handler_that_ignores_its_token_is_reported_once_and_keeps_its_slot()
    {
        var clock = new ManualTimeProvider();
        var started = new SemaphoreSlim(0);
        var mayReturn = new TaskCompletionSource();
        await using var worker = Worker(
            new TaskHandlers()
                .Add<Ping>(async (_, _) =>
                {
                    started.Release();
                    await mayReturn.Task;
                })
                .Add<Add, int>((task, _) => task.Left),
            new TaskWorkerOptions { Concurrency = 1, TimeProvider = clock, Heartbeat = TimeSpan.FromMilliseconds(10), Lease = TimeSpan.FromMinutes(1) });
        await worker.StartAsync();
        var handle = await StartedAsync(started);
        var next = await _queue.EnqueueAsync(new Add(1, 1));
        await _queue.CancelAsync(handle.Id);

        await Eventually.TrueAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1)); // Seen by a heartbeat first, and then for long enough.
                return _log.Has(209);
            },
            "it is reported");
        Assert.Null(await _queue.GetResultAsync(next.Id));
        mayReturn.SetResult();

        Assert.Equal(1, await next.WaitAsync(Bound));
        Assert.Single(_log.Entries, entry => entry.Id == 209);
    }
}
