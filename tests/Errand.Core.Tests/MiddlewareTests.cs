using System.Collections.Concurrent;
using Errand.Sqlite;

namespace Errand.Core.Tests;

/// <summary>Code of the application's own around enqueues and attempts.</summary>
public sealed class MiddlewareTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);
    private static readonly RetryPolicy Quick = new() { MaxAttempts = 3, Delay = TimeSpan.Zero };

    private readonly ConcurrentQueue<string> _seen = new();
    private readonly SqliteBackend _backend = new(":memory:");
    private TaskQueue? _queue;
    private TaskWorker? _worker;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await (_worker?.DisposeAsync() ?? ValueTask.CompletedTask);
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task The_first_is_the_outermost_around_an_enqueue_and_around_an_attempt()
    {
        var queue = Queue(new Named("a", _seen), new Named("b", _seen));
        await StartAsync(
            new TaskHandlers().Add<Say>((task, _) => _seen.Enqueue($"handler {task.Text}")), new Named("a", _seen), new Named("b", _seen));
        var handle = await queue.EnqueueAsync(new Say("x"), null, Token);
        await handle.WaitAsync(Bound, Token);
        await _worker!.StopAsync(Token);
        Assert.Equal(
            ["a before execute", "b before execute", "handler x", "b after execute", "a after execute"],
            _seen.Where(line => !line.Contains("enqueue", StringComparison.Ordinal)));
        Assert.Equal(
            ["a before enqueue", "b before enqueue", $"b after enqueue {handle.Id}", $"a after enqueue {handle.Id}"],
            _seen.Where(line => line.Contains("enqueue", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_header_that_one_adds_reaches_the_handler_unless_the_call_has_said_it()
    {
        var queue = Queue(new Enqueues((context, next) =>
        {
            context.AddHeader("tenant", "seven");
            return next();
        }));
        await StartAsync(new TaskHandlers().Add<Ask, string>((_, context) => context.Headers["tenant"]));
        Assert.Equal("seven", await (await queue.EnqueueAsync(new Ask(), null, Token)).WaitAsync(Bound, Token));
        var options = new EnqueueOptions { Headers = new Dictionary<string, string>(StringComparer.Ordinal) { ["tenant"] = "eight" } };
        Assert.Equal("eight", await (await queue.EnqueueAsync(new Ask(), options, Token)).WaitAsync(Bound, Token));
        var many = await queue.EnqueueManyAsync([new Say("x"), new Say("y")], null, Token);
        Assert.All(many, handle => Assert.True(handle.IsNew));
        Assert.All(
            await Task.WhenAll(many.Select(handle => _backend.FindAsync(handle.Id, Token).AsTask())),
            found => Assert.Equal("seven", found!.Headers["tenant"]));
    }

    [Fact]
    public async Task One_may_change_how_each_task_is_enqueued_and_what_it_makes_of_it_is_checked()
    {
        var queue = Queue(new Enqueues((context, next) =>
        {
            foreach (var item in context.Tasks)
            {
                item.Options = item.Options with { Queue = item.Task is Say { Text: var text } ? text : "others" };
            }

            return next();
        }));
        var handles = await queue.EnqueueManyAsync([new Say("mail"), new Say("sms")], null, Token);
        Assert.Equal("mail", (await _backend.FindAsync(handles[0].Id, Token))!.Queue);
        Assert.Equal("sms", (await _backend.FindAsync(handles[1].Id, Token))!.Queue);
        var bad = await Assert.ThrowsAsync<InvalidOptionsException>(() => queue.EnqueueAsync(new Say("two words"), null, Token));
        Assert.Contains("Queue holds the character U+0020", bad.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_middleware_that_throws_before_it_goes_on_refuses_the_task()
    {
        var queue = Queue(new Enqueues((_, _) => throw new FormatException("not on Sundays")));
        var e = await Assert.ThrowsAsync<FormatException>(() => queue.EnqueueAsync(new Say("x"), null, Token));
        Assert.Equal("not on Sundays", e.Message);
        Assert.Equal(0, (await _backend.GetOverviewAsync(Token)).Count(TaskState.Pending));
    }

    [Fact]
    public async Task Who_forgets_to_go_on_or_goes_on_twice_hears_of_it()
    {
        var forgets = Queue(new Enqueues((_, _) => ValueTask.CompletedTask));
        var forgot = await Assert.ThrowsAsync<InvalidOperationException>(() => forgets.EnqueueAsync(new Say("x"), null, Token));
        Assert.Contains("without having called next", forgot.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await _backend.GetOverviewAsync(Token)).Count(TaskState.Pending));

        var repeats = Queue(new Enqueues(async (_, next) =>
        {
            await next();
            await next();
        }));
        var repeated = await Assert.ThrowsAsync<InvalidOperationException>(() => repeats.EnqueueAsync(new Say("x"), null, Token));
        Assert.Contains("a second time", repeated.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await _backend.GetOverviewAsync(Token)).Count(TaskState.Pending));
    }

    [Fact]
    public async Task What_one_throws_around_an_attempt_fails_the_attempt_and_is_retried()
    {
        var queue = Queue();
        await StartAsync(
            new TaskHandlers().Add<Ask, string>((_, _) => "done"),
            new Executes((context, next) => context.Attempt < 3 ? throw new FormatException("not yet") : next()));
        var handle = await queue.EnqueueAsync(new Ask(), new EnqueueOptions { Retry = Quick }, Token);
        Assert.Equal("done", await handle.WaitAsync(Bound, Token));
        var found = (await _backend.FindAsync(handle.Id, Token))!;
        Assert.Equal(3, found.Attempt);
        Assert.All(found.History, attempt => Assert.Contains("not yet", attempt.Error, StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_does_not_go_on_skips_the_handler_and_one_that_repeats_it_gives_the_last_result()
    {
        var runs = 0;
        var queue = Queue();
        await StartAsync(
            new TaskHandlers().Add<Ask, string>((_, _) => $"run {++runs}"),
            new Executes(async (context, next) =>
            {
                if (context.Queue == "skipped")
                {
                    return;
                }

                await next();
                await next();
            }));
        Assert.Equal("run 2", await (await queue.EnqueueAsync(new Ask(), null, Token)).WaitAsync(Bound, Token));
        var skipped = await queue.EnqueueAsync(new Ask(), new EnqueueOptions { Queue = "skipped" }, Token);
        var result = await queue.GetResultAsync(skipped.Id, Bound, Token);
        Assert.Equal(TaskState.Succeeded, result!.State);
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task A_handler_that_blocks_keeps_a_thread_of_its_own_also_behind_one_that_awaits()
    {
        var queue = Queue();
        await StartAsync(
            new TaskHandlers().Add<Ask, string>((_, _) => Thread.CurrentThread.IsThreadPoolThread ? "pool" : "own"),
            new Executes(async (_, next) =>
            {
                await Task.Delay(1, Token);
                await next();
            }));
        Assert.Equal("own", await (await queue.EnqueueAsync(new Ask(), null, Token)).WaitAsync(Bound, Token));
    }

    [Fact]
    public void A_list_that_holds_null_is_refused()
    {
        var e = Assert.Throws<InvalidOptionsException>(
            () => new TaskWorker(_backend, new TaskHandlers(), new TaskWorkerOptions { Middleware = [null!], FailureHandlers = null! }));
        Assert.Equal(["Middleware holds null; leave it out", "FailureHandlers holds null; leave it out"], e.Problems);
        Assert.Throws<InvalidOptionsException>(() => Queue([null!]));
    }

    private TaskQueue Queue(params ITaskMiddleware[] middleware) =>
        _queue = new TaskQueue(_backend, new TaskQueueOptions { Middleware = middleware });

    private Task StartAsync(TaskHandlers handlers, params ITaskMiddleware[] middleware)
    {
        _worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { Queues = ["*"], Middleware = middleware });
        return _worker.StartAsync(Token);
    }

    private sealed record Say(string Text) : ITask;

    private sealed record Ask : ITask<string>;

    private sealed class Named(string name, ConcurrentQueue<string> seen) : ITaskMiddleware
    {
        public async ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
        {
            Assert.Null(Assert.Single(context.Tasks).Id);
            seen.Enqueue($"{name} before enqueue");
            await next();
            seen.Enqueue($"{name} after enqueue {context.Tasks[0].Id}");
        }

        public async ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            Assert.Equal(new Say("x"), context.Payload);
            seen.Enqueue($"{name} before execute");
            await next();
            seen.Enqueue($"{name} after execute");
        }
    }

    private sealed class Enqueues(Func<EnqueueContext, Func<ValueTask>, ValueTask> around) : ITaskMiddleware
    {
        public ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next) => around(context, next);
    }

    private sealed class Executes(Func<TaskContext, Func<ValueTask>, ValueTask> around) : ITaskMiddleware
    {
        public ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next) => around(context, next);
    }
}
