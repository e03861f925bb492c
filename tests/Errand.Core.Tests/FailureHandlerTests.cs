using System.Collections.Concurrent;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Core.Tests;

/// <summary>Who is told of attempts that failed, and what follows from what they say.</summary>
public sealed class FailureHandlerTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);
    private static readonly RetryPolicy Twice = new() { MaxAttempts = 2, Delay = TimeSpan.Zero };

    private readonly ConcurrentQueue<FailedAttempt> _told = new();
    private readonly SqliteBackend _backend = new(":memory:");
    private readonly RecordingLogger<TaskWorker> _log = new();
    private readonly TaskQueue _queue;
    private TaskWorker? _worker;

    public FailureHandlerTests() => _queue = new TaskQueue(_backend);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await (_worker?.DisposeAsync() ?? ValueTask.CompletedTask);
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task They_are_told_of_every_attempt_and_whether_another_follows()
    {
        var result = await RunAsync(_ => throw new FormatException("no"), Tells());
        Assert.Equal(TaskState.Failed, result.State);
        Assert.Equal([(1, true), (2, false)], _told.Select(one => (one.Attempt, one.WillRetry)));
        Assert.All(_told, one => Assert.IsType<FormatException>(one.Exception));
    }

    [Fact]
    public async Task The_first_that_decides_decides_and_the_others_are_told()
    {
        var result = await RunAsync(
            _ => throw new FormatException("no"), Tells(), Tells(RetryDecision.FailNow), Tells(RetryDecision.RetryAfter(TimeSpan.Zero)));
        Assert.Equal((TaskState.Failed, 1), (result.State, result.Attempt));
        Assert.Equal([true, true, false], _told.Select(one => one.WillRetry));
    }

    [Fact]
    public async Task A_decision_of_the_exception_or_of_the_options_stands()
    {
        var failed = await RunAsync(_ => throw new FailTaskException("for good"), Tells(RetryDecision.RetryAfter(TimeSpan.Zero)));
        Assert.Equal((TaskState.Failed, 1), (failed.State, failed.Attempt));
        Assert.False(Assert.Single(_told).WillRetry);
    }

    [Fact]
    public async Task They_are_not_told_of_a_snooze_and_may_ask_for_one()
    {
        var result = await RunAsync(
            context => context.Epoch switch
            {
                1 => throw new SnoozeTaskException(TimeSpan.Zero),
                2 => throw new FormatException("busy"),
                _ => Task.CompletedTask,
            },
            Tells(RetryDecision.SnoozeFor(TimeSpan.Zero)));
        Assert.Equal((TaskState.Succeeded, 1), (result.State, result.Attempt));
        Assert.Equal("busy", Assert.Single(_told).Exception.Message);
    }

    [Fact]
    public async Task They_are_told_of_a_payload_and_of_a_result_that_JSON_cannot_take()
    {
        await StartAsync(
            new TaskHandlers().Add<Number, Circle>((_, _) => new Circle()).Add<Work>((_, _) => Task.CompletedTask), Tells(RetryDecision.RetryAfter(TimeSpan.Zero)));
        var unread = (await _backend.EnqueueAsync([new NewTask { Name = "work", Payload = "no JSON"u8.ToArray() }], Token))[0].Id;
        Assert.Equal(TaskState.Failed, (await _queue.GetResultAsync(unread, Bound, Token))!.State);
        var unwritten = await _queue.EnqueueAsync(new Number(), null, Token);
        Assert.Equal(TaskState.Failed, (await _queue.GetResultAsync(unwritten.Id, Bound, Token))!.State);
        Assert.Equal([("work", false), ("number", false)], _told.Select(one => (one.Name, one.WillRetry)));
    }

    [Fact]
    public async Task One_that_throws_is_logged_and_changes_nothing()
    {
        var result = await RunAsync(
            context => context.Attempt == 1 ? throw new FormatException("no") : Task.CompletedTask,
            new Told((_, _) => throw new InvalidTimeZoneException("the reporter is down")), Tells());
        Assert.Equal(TaskState.Succeeded, result.State);
        Assert.Single(_told);
        Assert.Single(_log.Entries, entry => entry.Id == 216);
    }

    [Fact]
    public async Task They_are_not_told_of_what_was_cancelled()
    {
        var started = new TaskCompletionSource<TaskId>();
        await StartAsync(
            new TaskHandlers().Add<Work>(async (_, context) =>
            {
                started.SetResult(context.Id);
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }),
            Tells());
        await _queue.EnqueueAsync(new Work(), null, Token);
        await _queue.CancelAsync(await started.Task.WaitAsync(Bound, Token), Token);
        Assert.Equal(TaskState.Cancelled, (await _queue.GetResultAsync(await started.Task, Bound, Token))!.State);
        Assert.Empty(_told);
    }

    private async Task<TaskDetails> RunAsync(Func<TaskContext, Task> handler, params ITaskFailureHandler[] failureHandlers)
    {
        await StartAsync(new TaskHandlers().Add<Work>((_, context) => handler(context)), failureHandlers);
        var handle = await _queue.EnqueueAsync(new Work(), new EnqueueOptions { Retry = Twice }, Token);
        Assert.NotNull(await _queue.GetResultAsync(handle.Id, Bound, Token));
        return (await _backend.FindAsync(handle.Id, Token))!;
    }

    private Task StartAsync(TaskHandlers handlers, params ITaskFailureHandler[] failureHandlers)
    {
        _worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { FailureHandlers = failureHandlers }, _log);
        return _worker.StartAsync(Token);
    }

    private Told Tells(RetryDecision? decision = null) => new((attempt, context) =>
    {
        Assert.Equal((attempt.Id, attempt.Attempt), (context.Id, context.Attempt));
        _told.Enqueue(attempt);
        return decision;
    });

    [TaskName("work")]
    private sealed record Work : ITask;

    [TaskName("number")]
    private sealed record Number : ITask<Circle>;

    private sealed record Circle
    {
        public string Text => throw new NotSupportedException("no text");
    }

    private sealed class Told(Func<FailedAttempt, TaskContext, RetryDecision?> tell) : ITaskFailureHandler
    {
        public ValueTask<RetryDecision?> HandleAsync(FailedAttempt attempt, TaskContext context) => new(tell(attempt, context));
    }
}
