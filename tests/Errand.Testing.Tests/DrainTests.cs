using System.Globalization;

namespace Errand.Testing.Tests;

/// <summary>What is run, in which order, and at which time of the clock.</summary>
public sealed class DrainTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly List<string> _ran = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ErrandTest Noting(ErrandTestOptions? options = null) =>
        new(new TaskHandlers().Add<Note>((task, _) => _ran.Add(task.Text)), options);

    private static async Task<TimeSpan[]> StartsAsync(ErrandTest test, TimeSpan time)
    {
        var begin = test.Clock.GetUtcNow();
        await test.AdvanceAsync(time, Token);
        return [.. test.Attempts.Select(attempt => attempt.StartedAt - begin)];
    }

    [Fact]
    public async Task Due_tasks_run_by_priority_due_time_and_id()
    {
        await using var test = Noting();
        await test.Queue.EnqueueAsync(new Note("later"), new EnqueueOptions { Delay = Second }, Token);
        await test.Queue.EnqueueAsync(new Note("first"), null, Token);
        await test.Queue.EnqueueAsync(new Note("second"), null, Token);
        await test.Queue.EnqueueAsync(new Note("urgent"), new EnqueueOptions { Priority = 1 }, Token);

        test.Clock.Advance(Second);

        Assert.Equal(4, await test.DrainAsync(Token));
        Assert.Equal(["urgent", "first", "second", "later"], _ran);
    }

    [Fact]
    public async Task What_handlers_enqueue_runs_in_the_same_drain()
    {
        ErrandTest? test = null;
        await using var made = test = new ErrandTest(new TaskHandlers()
            .Add<Twice, int>(async (task, _) =>
            {
                await test!.Queue.EnqueueAsync(new Note(task.Number.ToString(CultureInfo.InvariantCulture)), null, Token);
                return task.Number * 2;
            })
            .Add<Note>((task, _) => _ran.Add(task.Text)));
        await test.Queue.EnqueueAsync(new Twice(3), null, Token);

        Assert.Equal(2, await test.DrainAsync(Token));

        Assert.Equal(["3"], _ran);
    }

    [Fact]
    public async Task Every_queue_is_served_unless_the_worker_names_its_own()
    {
        var mail = new EnqueueOptions { Queue = "mail" };
        await using var all = Noting();
        await using var some = Noting(new ErrandTestOptions { Worker = new TaskWorkerOptions() });
        await all.Queue.EnqueueAsync(new Note("a"), mail, Token);
        await some.Queue.EnqueueAsync(new Note("b"), mail, Token);

        Assert.Equal((1, 0), (await all.DrainAsync(Token), await some.DrainAsync(Token)));
    }

    [Fact]
    public async Task A_delayed_task_runs_at_its_time_and_not_before()
    {
        await using var test = Noting();
        await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Delay = TimeSpan.FromMinutes(5) }, Token);

        Assert.Equal(0, await test.DrainAsync(Token));
        Assert.Equal(0, await test.AdvanceAsync(TimeSpan.FromMinutes(5) - TimeSpan.FromMilliseconds(1), Token));
        Assert.Equal(1, await test.AdvanceAsync(TimeSpan.FromMilliseconds(1), Token));
    }

    [Fact]
    public async Task Tasks_that_become_due_while_time_passes_each_run_at_their_own_time()
    {
        await using var test = Noting();
        foreach (var seconds in (int[])[30, 10, 20])
        {
            await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Delay = seconds * Second }, Token);
        }

        Assert.Equal([10 * Second, 20 * Second, 30 * Second], await StartsAsync(test, TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task The_clock_stands_where_it_was_sent()
    {
        await using var test = Noting();
        await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Delay = Second }, Token);
        var begin = test.Clock.GetUtcNow();

        await test.AdvanceAsync(TimeSpan.FromDays(3), Token);

        Assert.Equal(begin + TimeSpan.FromDays(3), test.Clock.GetUtcNow());
    }

    [Fact]
    public async Task Retries_happen_at_the_time_that_the_policy_says_to_the_millisecond()
    {
        await using var test = new ErrandTest(new TaskHandlers().Add<Note>((_, _) => throw new FormatException("no")));
        var retry = new RetryPolicy { MaxAttempts = 4, Delay = TimeSpan.FromMilliseconds(1_001), Factor = 3, Jitter = 0 };
        await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Retry = retry }, Token);

        var starts = await StartsAsync(test, TimeSpan.FromHours(1));

        Assert.Equal([0, 1_001, 1_001 + 3_003, 1_001 + 3_003 + 9_009], starts.Select(start => start.TotalMilliseconds));
    }

    [Fact]
    public async Task A_snoozed_task_runs_again_at_its_time_and_its_attempt_is_not_charged()
    {
        var isOpen = false;
        await using var test = new ErrandTest(new TaskHandlers().Add<Note>((_, _) =>
        {
            if (!isOpen)
            {
                isOpen = true;
                throw new SnoozeTaskException(TimeSpan.FromMinutes(7));
            }
        }));
        await test.Queue.EnqueueAsync(new Note("a"), null, Token);

        Assert.Equal([TimeSpan.Zero, TimeSpan.FromMinutes(7)], await StartsAsync(test, TimeSpan.FromMinutes(7)));
        Assert.Equal([(1, 1L), (1, 2L)], test.Attempts.Select(attempt => (attempt.Attempt, attempt.Epoch)));
    }

    [Fact]
    public async Task The_workers_own_rules_for_failures_are_asked()
    {
        var worker = new TaskWorkerOptions { OnFailure = failed => RetryDecision.RetryAfter(failed.Attempt * TimeSpan.FromHours(1)) };
        await using var test = new ErrandTest(
            new TaskHandlers().Add<Note>((_, _) => throw new FormatException("no")), new ErrandTestOptions { Worker = worker });
        await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Retry = RetryPolicy.Default with { MaxAttempts = 3 } }, Token);

        Assert.Equal(
            [TimeSpan.Zero, TimeSpan.FromHours(1), TimeSpan.FromHours(3)], await StartsAsync(test, TimeSpan.FromDays(1)));
    }

    [Fact]
    public async Task A_task_that_has_expired_does_not_run()
    {
        await using var test = Noting();
        var options = new EnqueueOptions { Delay = TimeSpan.FromMinutes(2), ExpiresAt = test.Clock.GetUtcNow() + TimeSpan.FromMinutes(1) };
        var handle = await test.Queue.EnqueueAsync(new Note("a"), options, Token);

        Assert.Equal(0, await test.AdvanceAsync(TimeSpan.FromMinutes(5), Token));

        Assert.Equal(TaskState.Expired, test.ResultOf(handle).State);
    }

    [Fact]
    public async Task A_paused_queue_is_left_alone_until_it_is_resumed()
    {
        await using var test = Noting();
        await test.Inspector.PauseAsync(Defaults.Queue, Token);
        await test.Queue.EnqueueAsync(new Note("a"), null, Token);
        Assert.Equal(0, await test.DrainAsync(Token));

        await test.Inspector.ResumeAsync(Defaults.Queue, Token);

        Assert.Equal(1, await test.DrainAsync(Token));
    }

    [Fact]
    public async Task A_handler_that_waits_for_its_token_is_timed_out_when_the_clock_is_moved_meanwhile()
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var test = new ErrandTest(new TaskHandlers().Add<Note>(async (_, context) =>
        {
            started.SetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }));
        await test.Queue.EnqueueAsync(
            new Note("a"), new EnqueueOptions { Timeout = TimeSpan.FromMinutes(1), Retry = RetryPolicy.None }, Token);

        var drain = test.DrainAsync(Token);
        await started.Task;
        test.Clock.Advance(TimeSpan.FromMinutes(1) - TimeSpan.FromMilliseconds(1));
        Assert.False(drain.IsCompleted);
        test.Clock.Advance(TimeSpan.FromMilliseconds(1));
        await drain;

        Assert.IsType<TimeoutException>(Assert.Single(test.Attempts).Exception);
    }

    [Fact]
    public async Task A_handler_that_never_returns_ends_in_an_exception_that_says_what_to_do()
    {
        var options = new ErrandTestOptions { HandlerLimit = TimeSpan.FromMilliseconds(1) };
        await using var test = new ErrandTest(
            new TaskHandlers().Add<Note>((_, context) => Task.Delay(Timeout.Infinite, context.CancellationToken)), options);
        await test.Queue.EnqueueAsync(new Note("a"), null, Token);

        var stuck = await Assert.ThrowsAsync<ErrandTestException>(() => test.DrainAsync(Token));

        Assert.Contains("('note', attempt 1) has not returned within 00:00:00.0010000 of real time", stuck.Message, StringComparison.Ordinal);
        Assert.Contains("move Clock meanwhile", stuck.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_enqueues_itself_for_ever_ends_in_an_exception_that_says_so()
    {
        ErrandTest? test = null;
        await using var made = test = new ErrandTest(
            new TaskHandlers().Add<Note>((task, _) => test!.Queue.EnqueueAsync(task, null, Token)),
            new ErrandTestOptions { MaxAttempts = 20 });
        await test.Queue.EnqueueAsync(new Note("again"), null, Token);

        var endless = await Assert.ThrowsAsync<ErrandTestException>(() => test.DrainAsync(Token));

        Assert.StartsWith("More than 20 attempts were run, the last of task", endless.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_snoozes_for_ever_is_bounded_over_the_whole_time_that_passes()
    {
        await using var test = new ErrandTest(
            new TaskHandlers().Add<Note>((_, _) => throw new SnoozeTaskException(Second)), new ErrandTestOptions { MaxAttempts = 20 });
        await test.Queue.EnqueueAsync(new Note("again"), null, Token);

        await Assert.ThrowsAsync<ErrandTestException>(() => test.AdvanceAsync(TimeSpan.FromDays(30), Token));
    }

    [Fact]
    public async Task As_many_attempts_as_are_allowed_may_run()
    {
        await using var test = Noting(new ErrandTestOptions { MaxAttempts = 2 });
        await test.Queue.EnqueueManyAsync([new Note("a"), new Note("b")], cancellationToken: Token);
        Assert.Equal(2, await test.DrainAsync(Token));
    }

    [Fact]
    public async Task A_cancelled_task_does_not_run()
    {
        await using var test = Noting();
        var handle = await test.Queue.EnqueueAsync(new Note("a"), null, Token);

        Assert.Equal(CancelOutcome.Cancelled, await test.Queue.CancelAsync(handle.Id, Token));

        Assert.Equal(0, await test.DrainAsync(Token));
        Assert.Equal(TaskState.Cancelled, test.ResultOf(handle).State);
    }

    [Fact]
    public async Task A_running_handler_learns_that_its_task_is_cancelled()
    {
        ErrandTest? test = null;
        await using var made = test = new ErrandTest(new TaskHandlers().Add<Note>(async (_, context) =>
        {
            await test!.Queue.CancelAsync(context.Id, Token);
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }));
        var handle = await test.Queue.EnqueueAsync(new Note("a"), null, Token);

        await test.DrainAsync(Token);

        Assert.Equal(TaskState.Cancelled, test.ResultOf(handle).State);
    }

    [Fact]
    public async Task Two_tests_at_once_do_not_see_one_another()
    {
        await using var one = Noting();
        await using var other = Noting();
        await one.Queue.EnqueueAsync(new Note("a"), null, Token);
        one.Clock.Advance(Second);

        Assert.Equal((1, 0), (await one.DrainAsync(Token), await other.DrainAsync(Token)));
        Assert.Equal(Second, one.Clock.GetUtcNow() - other.Clock.GetUtcNow());
    }

    [Fact]
    public async Task A_second_drain_at_the_same_time_is_refused()
    {
        ErrandTest? test = null;
        Exception? refused = null;
        await using var made = test = new ErrandTest(new TaskHandlers().Add<Note>(
            async (_, _) => refused = await Record.ExceptionAsync(() => test!.DrainAsync(Token))));
        await test.Queue.EnqueueAsync(new Note("a"), null, Token);

        await test.DrainAsync(Token);

        Assert.StartsWith("A drain is under way.", Assert.IsType<InvalidOperationException>(refused).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_clock_can_be_the_tests_own()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2040, 2, 29, 12, 0, 0, TimeSpan.Zero));
        await using var test = Noting(new ErrandTestOptions { Clock = clock });
        await test.Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { DueAt = clock.GetUtcNow() + Second }, Token);

        await test.AdvanceAsync(Second, Token);

        Assert.Equal(new DateTimeOffset(2040, 2, 29, 12, 0, 1, TimeSpan.Zero), Assert.Single(test.Attempts).StartedAt);
    }

    [Fact]
    public async Task Time_does_not_go_back()
    {
        await using var test = Noting();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.AdvanceAsync(-Second, Token));
    }

    [Fact]
    public void Every_problem_of_the_options_is_told_at_once()
    {
        var refused = Assert.Throws<InvalidOptionsException>(() => new ErrandTest(options: new ErrandTestOptions
        {
            MaxAttempts = 0,
            HandlerLimit = TimeSpan.Zero,
            Worker = new TaskWorkerOptions { TimeProvider = new Microsoft.Extensions.Time.Testing.FakeTimeProvider() },
        }));

        Assert.Equal(
            [
                "MaxAttempts is 0; allowed is 1 to 10,000,000",
                "HandlerLimit is 00:00:00; allowed is 1 ms to 1 day, or Timeout.InfiniteTimeSpan",
                "Worker.TimeProvider is set; give the clock as Clock, which all parts of a test share",
            ],
            refused.Problems);
    }
}
