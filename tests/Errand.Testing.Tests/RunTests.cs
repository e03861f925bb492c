namespace Errand.Testing.Tests;

/// <summary>One handler alone.</summary>
public sealed class RunTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_handler_gives_its_result()
    {
        await using var test = new ErrandTest(new TaskHandlers().Add<Twice, int>((task, _) => task.Number * 2));

        Assert.Equal(42, await test.RunAsync(new Twice(21), null, Token));

        test.AssertNotEnqueued<Twice>();
        Assert.Equal("default", Assert.Single(test.Attempts).Queue);
    }

    [Fact]
    public async Task No_other_task_runs_and_what_the_handler_enqueues_waits()
    {
        ErrandTest? test = null;
        await using var made = test = new ErrandTest(new TaskHandlers()
            .Add<Twice, int>(async (task, _) =>
            {
                await test!.Queue.EnqueueAsync(new Note("child"), null, Token);
                return task.Number;
            })
            .Add<Note>((_, _) => { }));
        await test.Queue.EnqueueAsync(new Note("urgent"), new EnqueueOptions { Priority = 9 }, Token);

        await test.RunAsync(new Twice(1), null, Token);

        Assert.Single(test.Attempts);
        Assert.Equal(["urgent", "child"], test.Enqueued<Note>().Select(task => task.Payload.Text));
        Assert.Equal(2, await test.DrainAsync(Token));
    }

    public static TheoryData<Exception> Thrown =>
    [
        new ArithmeticException("odd"), new SnoozeTaskException(TimeSpan.FromHours(1)), new FailTaskException("bad"),
        new RetryTaskException(TimeSpan.FromHours(1), "later"), new OperationCanceledException("mine"),
    ];

    [Theory]
    [MemberData(nameof(Thrown), DisableDiscoveryEnumeration = true)]
    public async Task What_a_handler_throws_comes_out_as_it_was_and_nothing_is_left(Exception thrown)
    {
        await using var test = new ErrandTest(new TaskHandlers().Add<Note>((_, _) => Throw(thrown)));

        var e = await Assert.ThrowsAsync(thrown.GetType(), () => test.RunAsync(new Note("x"), null, Token));

        Assert.Same(thrown, e);
        Assert.Contains(nameof(Throw), e.StackTrace, StringComparison.Ordinal);
        Assert.Equal(0, await test.AdvanceAsync(TimeSpan.FromDays(1), Token));
    }

    [Fact]
    public async Task A_timeout_is_told_as_one()
    {
        var started = new TaskCompletionSource();
        await using var test = new ErrandTest(new TaskHandlers().Add<Note>(async (_, context) =>
        {
            started.SetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }));

        var run = test.RunAsync(new Note("x"), new EnqueueOptions { Timeout = TimeSpan.FromSeconds(5) }, Token);
        await started.Task;
        test.Clock.Advance(TimeSpan.FromSeconds(5));

        await Assert.ThrowsAsync<TimeoutException>(() => run);
    }

    [Fact]
    public async Task A_task_without_a_handler_is_named()
    {
        await using var test = new ErrandTest();
        var e = await Assert.ThrowsAsync<ErrandTestException>(() => test.RunAsync(new Note("x"), null, Token));
        Assert.Contains("no handler for Note", e.Message, StringComparison.Ordinal);
    }

    private static void Throw(Exception exception) => throw exception;
}
