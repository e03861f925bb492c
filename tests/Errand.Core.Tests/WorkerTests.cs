using System.Collections.Concurrent;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>What a worker does with handlers that behave, and with those that do not.</summary>
public sealed partial class WorkerTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = Eventually.Bound;
    private static readonly RetryPolicy Quick = new() { Delay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(2) };

    private readonly SqliteBackend _backend = new(":memory:");
    private readonly TaskQueue _queue;
    private readonly RecordingLogger<TaskWorker> _log = new();

    public WorkerTests() => _queue = new TaskQueue(_backend);

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private TaskWorker Worker(TaskHandlers handlers, TaskWorkerOptions? options = null) => new(_backend, handlers, options, _log);

    [Fact]
    public async Task A_handler_that_throws_is_retried_until_it_succeeds()
    {
        var attempts = new ConcurrentQueue<(int Attempt, int Max, long Epoch)>();
        await using var worker = Worker(new TaskHandlers().Add<Add, int>((task, context) =>
        {
            attempts.Enqueue((context.Attempt, context.MaxAttempts, context.Epoch));
            return context.Attempt < 3 ? throw new FormatException("not yet") : task.Left;
        }));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(new Add(8, 0), new EnqueueOptions { Retry = Quick });

        Assert.Equal(8, await handle.WaitAsync(Bound));
        Assert.Equal([(1, 5, 1L), (2, 5, 2L), (3, 5, 3L)], attempts);
        await Eventually.TrueAsync(() => _log.Entries.Count(entry => entry.Id == 200) == 2, "both failures are logged");
    }

    [Fact]
    public async Task A_task_that_fails_every_attempt_ends_failed_with_its_last_error()
    {
        var runs = 0;
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) =>
        {
            runs++;
            throw new FormatException($"attempt {context.Attempt}");
        }));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(new Ping(), new EnqueueOptions { Retry = Quick });
        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(Bound));

        Assert.Equal((TaskState.Failed, 5, 5), (failed.Result.State, failed.Result.Attempts, runs));
        Assert.Equal($"Task {handle.Id} ('ping') failed after 5 attempts: System.FormatException: attempt 5", failed.Message);
        await Eventually.TrueAsync(() => _log.Has(201), "the last failure is logged");
    }

    private sealed class Spiteful : Exception
    {
        public override string Message => throw new FormatException();

        public override string ToString() => throw new FormatException();
    }

    private sealed class Wordless : Exception
    {
        public override string ToString() => null!;
    }

    private sealed class Verbose() : Exception(new string('x', 10_000_000));

    public static TheoryData<Exception, string> Hostile => new()
    {
        { new Spiteful(), "its text could not be read: FormatException" },
        { new Wordless(), "Wordless (its text is null)" },
        { new Verbose(), "xxx…" },
        { new AggregateException(new FormatException("inner")), "inner" },
        { new OperationCanceledException("nobody asked for it"), "nobody asked for it" },
        { new FormatException("\u001b[31mred\r\nline\0"), "\u001b[31mred\r\nline\0" },
    };

    [Theory]
    [MemberData(nameof(Hostile), DisableDiscoveryEnumeration = true)]
    public async Task Whatever_a_handler_throws_is_kept_as_text_and_the_worker_goes_on(Exception thrown, string kept)
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, _) => throw thrown).Add<Add, int>((task, _) => task.Left));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });
        var result = await _queue.GetResultAsync(handle.Id, Bound);

        Assert.Contains(kept, result!.Error, StringComparison.Ordinal);
        Assert.InRange(result.Error!.Length, 1, 16 * 1024);
        Assert.Equal(1, await (await _queue.EnqueueAsync(new Add(1, 1))).WaitAsync(Bound));
    }

    [Fact]
    public async Task A_handler_that_runs_past_its_timeout_is_cancelled_and_the_attempt_fails()
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>(
            async (_, context) => await Task.Delay(Timeout.Infinite, context.CancellationToken)));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(
            new Ping(), new EnqueueOptions { Timeout = TimeSpan.FromMilliseconds(20), Retry = Quick with { MaxAttempts = 2 } });
        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(Bound));

        Assert.Equal(2, failed.Result.Attempts);
        Assert.Contains("The handler of 'ping' was cancelled after its timeout of 00:00:00.02", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_ignores_its_timeout_keeps_its_slot_and_its_result_counts()
    {
        var cancelled = new TaskCompletionSource();
        var mayReturn = new TaskCompletionSource();
        await using var worker = Worker(
            new TaskHandlers().Add<Add, int>(async (task, context) =>
            {
                if (task.Left == 1)
                {
                    context.CancellationToken.Register(cancelled.SetResult);
                    await mayReturn.Task;
                }

                return task.Left;
            }),
            new TaskWorkerOptions { Concurrency = 1 });
        await worker.StartAsync();
        var stubborn = await _queue.EnqueueAsync(new Add(1, 0), new EnqueueOptions { Timeout = TimeSpan.FromMilliseconds(10) });
        var next = await _queue.EnqueueAsync(new Add(2, 0));
        await cancelled.Task.WaitAsync(Bound);
        Assert.Null(await _queue.GetResultAsync(next.Id));

        mayReturn.SetResult();

        Assert.Equal(1, await stubborn.WaitAsync(Bound));
        Assert.Equal(2, await next.WaitAsync(Bound));
    }

    [Fact]
    public async Task No_more_handlers_run_at_once_than_the_concurrency_allows()
    {
        var running = 0;
        var most = 0;
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>(async (_, _) =>
            {
                var now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                await Task.Yield();
                Interlocked.Decrement(ref running);
            }),
            new TaskWorkerOptions { Concurrency = 3 });
        await worker.StartAsync();

        var handles = await _queue.EnqueueManyAsync(Enumerable.Range(0, 300).Select(_ => new Ping()));
        await Task.WhenAll(handles.Select(handle => handle.WaitAsync(Bound)));

        Assert.InRange(most, 1, 3);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); value > seen; seen = Volatile.Read(ref target))
        {
            if (Interlocked.CompareExchange(ref target, value, seen) == seen)
            {
                return;
            }
        }
    }

    [Fact]
    public async Task When_its_lease_is_lost_a_handler_is_told_and_its_outcome_dropped_and_the_worker_begins_anew()
    {
        var started = new TaskCompletionSource<long>();
        var tokenCancelled = new TaskCompletionSource();
        var runs = 0;
        await using var worker = Worker(
            new TaskHandlers().Add<Add, int>(async (task, context) =>
            {
                if (Interlocked.Increment(ref runs) > 1)
                {
                    return 2;
                }

                context.CancellationToken.Register(tokenCancelled.SetResult);
                started.SetResult(context.Epoch);
                await tokenCancelled.Task;
                return 1;
            }),
            new TaskWorkerOptions { Lease = TimeSpan.FromMilliseconds(500), Heartbeat = TimeSpan.FromMilliseconds(20) });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Add(1, 0));
        await started.Task.WaitAsync(Bound);

        // What the store does when a lease has run out, done by its own means.
        var owner = _log.Entries.First(entry => entry.Id == 100).Text.Split(' ')[1];
        await _backend.EndWorkerAsync(WorkerId.Parse(owner), release: true);

        await tokenCancelled.Task.WaitAsync(Bound);
        Assert.Equal(2, await handle.WaitAsync(Bound));
        await Eventually.TrueAsync(() => _log.Has(202) && _log.Has(103), "the first outcome is dropped");
        Assert.Equal(2, _log.Entries.Count(entry => entry.Id == 100));
    }

    [Fact]
    public async Task A_task_that_never_reached_its_worker_is_given_back_and_runs()
    {
        await using var worker = Worker(
            new TaskHandlers().Add<Add, int>((task, context) => context.Attempt),
            new TaskWorkerOptions { Lease = TimeSpan.FromMilliseconds(500), Heartbeat = TimeSpan.FromMilliseconds(50), Queues = ["a"] });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Add(1, 0), new EnqueueOptions { Queue = "b" });

        // An answer that is lost: reserved for the worker's owner, from a queue of which the worker itself knows nothing.
        var owner = WorkerId.Parse(_log.Entries.First(entry => entry.Id == 100).Text.Split(' ')[1]);
        Assert.Single(await _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1, Queues = ["b"] }));
        await Eventually.TrueAsync(() => _log.Has(109), "the stray is given back");

        await using var other = Worker(
            new TaskHandlers().Add<Add, int>((task, context) => context.Attempt), new TaskWorkerOptions { Queues = ["b"] });
        await other.StartAsync();
        Assert.Equal(1, await handle.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_worker_leaves_tasks_of_unknown_names_alone_and_they_run_when_somebody_knows_them()
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, _) => { }));
        await using var other = Worker(new TaskHandlers().Add<Add, int>((task, _) => task.Left));
        await worker.StartAsync();
        await other.StartAsync();

        var add = await _queue.EnqueueAsync(new Add(3, 0));
        var ping = await _queue.EnqueueAsync(new Ping());

        Assert.Equal(3, await add.WaitAsync(Bound));
        await ping.WaitAsync(Bound);
    }

    [Fact]
    public async Task Start_and_stop_can_be_called_in_any_order_and_misuse_is_told()
    {
        var worker = Worker(new TaskHandlers());
        await worker.StopAsync();
        await worker.StartAsync();
        var twice = await Assert.ThrowsAsync<InvalidOperationException>(() => worker.StartAsync());
        Assert.Equal("The worker runs already; stop it before starting it again.", twice.Message);
        await worker.StopAsync();
        await worker.StopAsync();
        await worker.StartAsync();
        await worker.DisposeAsync();
        await worker.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => worker.StartAsync());
    }

    [Fact]
    public async Task A_worker_whose_store_cannot_be_opened_does_not_start()
    {
        await using var backend = new SqliteBackend(Path.GetTempPath());
        await using var worker = new TaskWorker(backend, new TaskHandlers());
        await Assert.ThrowsAsync<BackendException>(() => worker.StartAsync());
    }

    [Fact]
    public async Task A_worker_ends_by_itself_when_its_backend_is_disposed_under_it()
    {
        var worker = Worker(new TaskHandlers());
        await worker.StartAsync();
        await _backend.DisposeAsync();
        await Eventually.TrueAsync(() => _log.Has(106), "the worker says that it ends");
        await worker.DisposeAsync();
    }

    [Fact]
    public async Task Waiting_for_a_task_that_does_not_end_is_a_timeout_and_the_task_goes_on()
    {
        var handle = await _queue.EnqueueAsync(new Add(1, 1));
        var late = await Assert.ThrowsAsync<TimeoutException>(() => handle.WaitAsync(TimeSpan.FromMilliseconds(1)));
        Assert.Equal($"Task {handle.Id} has not ended within 00:00:00.0010000. It goes on.", late.Message);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _queue.GetResultAsync(handle.Id, TimeSpan.FromSeconds(-3)));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => _queue.GetResultAsync(new TaskId(handle.Id.Value + 1)));
        Assert.Null(await _queue.GetResultAsync(handle.Id));
    }

    [Fact]
    public async Task A_disposed_queue_refuses_calls_and_leaves_the_backend_alone()
    {
        await _queue.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _queue.EnqueueAsync(new Ping()));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _queue.EnqueueManyAsync([new Ping()]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _queue.GetResultAsync(new TaskId(1)));
        Assert.True(await _backend.NewIdAsync() > default(TaskId));
    }

    [Fact]
    public async Task An_id_had_before_makes_an_enqueue_repeatable()
    {
        var id = await _queue.NewIdAsync();
        var first = await _queue.EnqueueAsync(new Add(1, 1), new EnqueueOptions { Id = id });
        var second = await _queue.EnqueueAsync(new Add(1, 1), new EnqueueOptions { Id = id });
        Assert.Equal((id, true, id, false), (first.Id, first.IsNew, second.Id, second.IsNew));
        var many = await Assert.ThrowsAsync<ArgumentException>(
            () => _queue.EnqueueManyAsync([new Ping()], new EnqueueOptions { Id = id }));
        Assert.StartsWith("One id cannot be given to many tasks", many.Message, StringComparison.Ordinal);
        Assert.Empty(await _queue.EnqueueManyAsync([]));
    }
}
