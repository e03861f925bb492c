namespace Errand.Testing.Tests;

/// <summary>What a test can see of what was enqueued, and of what became of it.</summary>
public sealed class ExpectationTests : IAsyncDisposable
{
    private readonly ErrandTest _test = new(new TaskHandlers()
        .Add<Twice, int>((task, _) => task.Number * 2)
        .Add<Note>((task, _) => throw new FormatException($"cannot read {task.Text}")));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ITaskQueue Queue => _test.Queue;

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task What_was_enqueued_is_seen_with_all_its_options()
    {
        var now = _test.Clock.GetUtcNow();
        var options = new EnqueueOptions
        {
            Queue = "mail", Priority = 4, Delay = TimeSpan.FromMinutes(1), ExpiresAt = now + TimeSpan.FromHours(1), UniqueKey = "k",
            Timeout = TimeSpan.FromSeconds(9), Retry = RetryPolicy.None,
        };
        var handle = await Queue.EnqueueAsync(new SendMail("ada"), options, Token);

        Assert.Equal(
            new EnqueuedTask<SendMail>
            {
                Id = handle.Id, Payload = new SendMail("ada"), Queue = "mail", Priority = 4, EnqueuedAt = now,
                DueAt = now + TimeSpan.FromMinutes(1), ExpiresAt = options.ExpiresAt, UniqueKey = "k", Timeout = options.Timeout,
                Retry = RetryPolicy.None, State = TaskState.Scheduled, Attempt = 0,
            },
            Assert.Single(_test.Enqueued<SendMail>()));
    }

    [Fact]
    public async Task Tasks_of_other_payloads_are_not_seen()
    {
        await Queue.EnqueueManyAsync([new SendMail("ada"), new Note("a"), new SendMail("bob")], cancellationToken: Token);
        Assert.Equal(["ada", "bob"], _test.Enqueued<SendMail>().Select(one => one.Payload.To));
    }

    [Fact]
    public async Task A_task_is_seen_as_it_stands_now()
    {
        await Queue.EnqueueAsync(new Twice(1), null, Token);
        await Queue.EnqueueAsync(new Note("a"), new EnqueueOptions { Retry = RetryPolicy.Fixed(TimeSpan.FromMinutes(1)) }, Token);
        Assert.Equal(TaskState.Pending, _test.AssertEnqueued<Twice>().State);

        await _test.DrainAsync(Token);

        Assert.Equal(TaskState.Succeeded, _test.AssertEnqueued<Twice>().State);
        var retried = _test.AssertEnqueued<Note>();
        Assert.Equal((TaskState.Scheduled, 1, TimeSpan.FromMinutes(1)), (retried.State, retried.Attempt, retried.DueAt - retried.EnqueuedAt));
    }

    [Fact]
    public async Task A_task_that_its_unique_key_kept_from_being_made_is_not_seen()
    {
        var options = new EnqueueOptions { UniqueKey = "one" };
        var first = await Queue.EnqueueAsync(new SendMail("ada"), options, Token);
        var second = await Queue.EnqueueAsync(new SendMail("bob"), options, Token);

        Assert.Equal((first.Id, false), (second.Id, second.IsNew));
        Assert.Equal("ada", _test.AssertEnqueued<SendMail>().Payload.To);
    }

    [Fact]
    public async Task A_deleted_task_is_not_seen()
    {
        var handle = await Queue.EnqueueAsync(new SendMail("ada"), null, Token);
        await _test.Inspector.DeleteAsync(handle.Id, Token);
        _test.AssertNotEnqueued<SendMail>();
    }

    [Fact]
    public async Task An_expectation_that_is_not_met_lists_what_there_is()
    {
        await Queue.EnqueueAsync(new SendMail("ada"), null, Token);
        await Queue.EnqueueAsync(
            new Note("x"), new EnqueueOptions { Queue = "slow", Priority = 2, Delay = TimeSpan.FromSeconds(1), UniqueKey = "k" }, Token);

        var unmet = Assert.Throws<ErrandTestException>(() => _test.AssertEnqueued<SendMail>(one => one.Payload.To == "bob"));

        Assert.Equal(
            """
            Expected one enqueued SendMail that meets the condition; 0 of 1 do. Enqueued were:
              1 send-mail {"To":"ada"}, Pending, queue default, priority 0, due 2000-01-01T00:00:00.0000000+00:00
              2 note {"Text":"x"}, Scheduled, queue slow, priority 2, due 2000-01-01T00:00:01.0000000+00:00, unique key 'k'
            """,
            unmet.Message);
    }

    [Fact]
    public void When_nothing_was_enqueued_the_message_says_so()
    {
        var unmet = Assert.Throws<ErrandTestException>(() => _test.AssertEnqueued<SendMail>());
        Assert.Equal("Expected one enqueued SendMail; there are 0. Nothing was enqueued.", unmet.Message);
    }

    [Fact]
    public async Task A_task_that_should_not_be_there_is_told()
    {
        await Queue.EnqueueAsync(new SendMail("ada"), null, Token);
        _test.AssertNotEnqueued<Note>();
        _test.AssertNotEnqueued<SendMail>(one => one.Payload.To == "bob");
        var unmet = Assert.Throws<ErrandTestException>(() => _test.AssertNotEnqueued<SendMail>());
        Assert.StartsWith("Expected no enqueued SendMail; there are 1.", unmet.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_result_of_a_task_can_be_had_when_it_has_run()
    {
        var handle = await Queue.EnqueueAsync(new Twice(21), null, Token);
        await _test.DrainAsync(Token);
        Assert.Equal(42, _test.ResultOf(handle));
    }

    [Fact]
    public async Task The_exception_of_a_handler_is_there_as_it_was_thrown()
    {
        var handle = await Queue.EnqueueAsync(new Note("runes"), new EnqueueOptions { Retry = RetryPolicy.None }, Token);

        await _test.DrainAsync(Token);

        Assert.Equal("cannot read runes", Assert.IsType<FormatException>(Assert.Single(_test.Attempts).Exception).Message);
        Assert.Equal(TaskState.Failed, _test.ResultOf(handle).State);
    }

    [Fact]
    public async Task A_result_of_a_task_that_waits_is_an_error_that_says_until_when()
    {
        var handle = await Queue.EnqueueAsync(new Twice(1), new EnqueueOptions { Delay = TimeSpan.FromSeconds(1) }, Token);
        var unmet = Assert.Throws<ErrandTestException>(() => _test.ResultOf(handle));
        Assert.Equal(
            "Task 1 ('twice') has not ended. It is Scheduled; it is due at 2000-01-01T00:00:01.0000000+00:00 and now is "
            + "2000-01-01T00:00:00.0000000+00:00: await AdvanceAsync.",
            unmet.Message);
    }

    [Fact]
    public async Task A_result_of_a_task_without_a_handler_is_an_error_that_says_so()
    {
        var handle = await Queue.EnqueueAsync(new SendMail("ada"), null, Token);
        await _test.DrainAsync(Token);
        var unmet = Assert.Throws<ErrandTestException>(() => _test.ResultOf(handle));
        Assert.EndsWith("there is no handler for its name.", unmet.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Results_are_there_after_years()
    {
        var handle = await Queue.EnqueueAsync(new Twice(4), null, Token);
        await _test.AdvanceAsync(TimeSpan.FromDays(3_000), Token);
        Assert.Equal(8, _test.ResultOf(handle));
    }

    [Fact]
    public async Task Checkpoints_and_progress_work_as_in_production()
    {
        await using var test = new ErrandTest(new TaskHandlers().Add<Twice, int>(async (task, context) =>
        {
            var done = await context.GetCheckpointAsync<int>(Token);
            context.ReportProgress(0.5, "half");
            await context.SaveCheckpointAsync(done + task.Number, Token);
            return context.Attempt == 2 ? done : throw new FormatException("once more");
        }));
        var handle = await test.Queue.EnqueueAsync(new Twice(5), null, Token);

        await test.AdvanceAsync(TimeSpan.FromMinutes(1), Token);

        Assert.Equal(5, test.ResultOf(handle));
    }
}
