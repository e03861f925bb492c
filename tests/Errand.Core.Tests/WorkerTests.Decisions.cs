using System.Collections.Concurrent;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>What becomes of an attempt whose handler throws: by the exception, by the worker's options, by the task's policy.</summary>
public sealed partial class WorkerTests
{
    private async Task<TaskResult> ResultAsync(ITask task, EnqueueOptions? options = null) =>
        (await _queue.GetResultAsync((await _queue.EnqueueAsync(task, options)).Id, Bound))!;

    [Fact]
    public async Task A_handler_can_fail_its_task_at_once_whatever_attempts_are_left()
    {
        var inner = new FormatException("the cause");
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, _) => throw new FailTaskException("no such customer", inner)));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping());

        Assert.Equal((TaskState.Failed, 1), (result.State, result.Attempts));
        Assert.Contains("no such customer", result.Error, StringComparison.Ordinal);
        Assert.Contains("the cause", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_can_say_itself_when_to_be_tried_again_until_its_attempts_are_used_up()
    {
        var attempts = 0;
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, _) =>
        {
            attempts++;
            throw new RetryTaskException(TimeSpan.FromMilliseconds(1));
        }));
        await worker.StartAsync();

        // By its policy the second attempt would come in a day.
        var result = await ResultAsync(
            new Ping(), new EnqueueOptions { Retry = RetryPolicy.Fixed(TimeSpan.FromDays(1), maxAttempts: 3) });

        Assert.Equal((TaskState.Failed, 3, 3), (result.State, result.Attempts, attempts));
        Assert.Contains("asked to be tried again after 00:00:00.001", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_snoozed_task_comes_back_and_no_attempt_is_charged()
    {
        var starts = new ConcurrentQueue<(int Attempt, long Epoch)>();
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) =>
        {
            starts.Enqueue((context.Attempt, context.Epoch));
            if (context.Epoch < 4)
            {
                throw new SnoozeTaskException(TimeSpan.FromMilliseconds(1));
            }
        }));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });

        Assert.Equal((TaskState.Succeeded, 1), (result.State, result.Attempts));
        Assert.Equal([(1, 1L), (1, 2L), (1, 3L), (1, 4L)], starts);
        Assert.False(_log.Has(200) || _log.Has(201));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(double.MaxValue)]
    public async Task A_wait_that_cannot_be_is_brought_within_what_a_due_time_holds(double days)
    {
        var wait = days < 0 ? TimeSpan.MinValue : TimeSpan.MaxValue;
        var ran = new SemaphoreSlim(0);
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) =>
        {
            ran.Release();
            throw context.Attempt == 1 ? new RetryTaskException(wait) : new FailTaskException("enough");
        }));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(new Ping());

        Assert.True(await ran.WaitAsync(Bound));
        if (days < 0)
        {
            Assert.True(await ran.WaitAsync(Bound));
        }
        else
        {
            await Eventually.TrueAsync(
                async () => (await _backend.FindAsync(handle.Id))?.State == TaskState.Scheduled, "it waits for ten years");
            Assert.InRange((await _backend.FindAsync(handle.Id))!.DueAt - DateTimeOffset.UtcNow, TimeSpan.FromDays(3649), TimeSpan.FromDays(3651));
        }
    }

    [Fact]
    public async Task The_workers_options_decide_by_exception_task_and_attempt()
    {
        var asked = new ConcurrentQueue<FailedAttempt>();
        var options = new TaskWorkerOptions
        {
            OnFailure = failed =>
            {
                asked.Enqueue(failed);
                return failed.Exception switch
                {
                    FormatException => RetryDecision.FailNow,
                    TimeoutException when failed.Attempt < 3 => RetryDecision.RetryAfter(TimeSpan.FromMilliseconds(1)),
                    TimeoutException => RetryDecision.FailNow,
                    _ => RetryDecision.ByPolicy,
                };
            },
        };
        await using var worker = Worker(
            new TaskHandlers()
                .Add<Ping>((_, _) => throw new FormatException("never right"))
                .Add<Add, int>((task, _) => throw new TimeoutException("later, perhaps")),
            options);
        await worker.StartAsync();

        var ping = await ResultAsync(new Ping());
        var add = (await _queue.GetResultAsync((await _queue.EnqueueAsync(new Add(1, 1))).Id, Bound))!;

        Assert.Equal((TaskState.Failed, 1), (ping.State, ping.Attempts));
        Assert.Equal((TaskState.Failed, 3), (add.State, add.Attempts));
        Assert.Equal((ping.Id, "ping", "default", 1, 5), asked.First() is var first
            ? (first.Id, first.Name, first.Queue, first.Attempt, first.MaxAttempts) : default);
    }

    [Fact]
    public async Task The_options_can_put_a_task_off_uncharged()
    {
        var options = new TaskWorkerOptions
        {
            OnFailure = failed => failed.Exception is TimeoutException ? RetryDecision.SnoozeFor(TimeSpan.Zero) : RetryDecision.ByPolicy,
        };
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>((_, context) =>
            {
                if (context.Epoch < 3)
                {
                    throw new TimeoutException();
                }
            }),
            options);
        await worker.StartAsync();

        Assert.Equal((TaskState.Succeeded, 1), await ResultAsync(new Ping()) is var result ? (result.State, result.Attempts) : default);
    }

    [Fact]
    public async Task A_decision_that_throws_leaves_it_to_the_policy_and_is_reported()
    {
        var options = new TaskWorkerOptions { OnFailure = _ => throw new FormatException("the decision itself") };
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, _) => throw new TimeoutException("the handler")), options);
        await worker.StartAsync();

        var result = await ResultAsync(new Ping(), new EnqueueOptions { Retry = Quick with { MaxAttempts = 2 } });

        Assert.Equal((TaskState.Failed, 2), (result.State, result.Attempts));
        Assert.Contains("the handler", result.Error, StringComparison.Ordinal);
        Assert.True(_log.Has(210));
    }

    [Fact]
    public async Task A_timeout_is_decided_upon_as_any_failure_is()
    {
        var options = new TaskWorkerOptions
        {
            OnFailure = failed => failed.Exception is TimeoutException ? RetryDecision.FailNow : RetryDecision.ByPolicy,
        };
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>((_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken)), options);
        await worker.StartAsync();

        var result = await ResultAsync(new Ping(), new EnqueueOptions { Timeout = TimeSpan.FromMilliseconds(20) });

        Assert.Equal((TaskState.Failed, 1), (result.State, result.Attempts));
    }
}
