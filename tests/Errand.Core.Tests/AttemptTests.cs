using System.Collections.Concurrent;
using Errand.Sqlite;
using Errand.Storage;
using Errand.TestKit;
using Microsoft.Extensions.Logging;

namespace Errand.Tests;

/// <summary>An attempt always ends, whatever the code around it throws: its task is settled or released, and its slot is free.</summary>
public sealed class AttemptTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = Eventually.Bound;

    private static readonly RetryPolicy Quick = RetryPolicy.Fixed(TimeSpan.FromMilliseconds(1));

    private static readonly TaskWorkerOptions OneSlot = new()
    {
        Concurrency = 1, Lease = TimeSpan.FromSeconds(2), Heartbeat = TimeSpan.FromMilliseconds(20),
    };

    private readonly SqliteBackend _backend = new(":memory:");
    private readonly RecordingLogger<TaskWorker> _log = new();

    public async ValueTask DisposeAsync() => await _backend.DisposeAsync();

    private static TaskHandlers Adds => new TaskHandlers().Add<Add, int>((task, _) => task.Left);

    public static TheoryData<Exception> Settlements =>
    [
        new InvalidOperationException("settle"),
        new OperationCanceledException("settle"),
        new IOException("settle"),
        new LostText(),
    ];

    private sealed class LostText : Exception
    {
        public override string ToString() => null!;
    }

    [Theory]
    [MemberData(nameof(Settlements), DisableDiscoveryEnumeration = true)]
    public async Task A_settlement_that_throws_once_is_written_again(Exception thrown)
    {
        var left = 1;
        var backend = FaultyBackend.Over(
            _backend, (call, _) => call == nameof(IBackend.SettleAsync) && Interlocked.Decrement(ref left) == 0 ? thrown : null);
        await using var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        await using var queue = new TaskQueue(_backend);

        Assert.Equal(1, await (await queue.EnqueueAsync(new Add(1, 0))).WaitAsync(Bound));
        Assert.Equal(2, await (await queue.EnqueueAsync(new Add(2, 0))).WaitAsync(Bound));
        Assert.True(_log.Has(203));
    }

    [Fact]
    public async Task An_outcome_that_the_store_always_refuses_fails_the_attempt_and_frees_the_slot()
    {
        var backend = FaultyBackend.Over(_backend, (call, args) =>
            call == nameof(IBackend.SettleAsync) && args[1] is Settlement.Succeeded { Result.Length: 2 }
                ? new InvalidOperationException("refused")
                : null);
        await using var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        await using var queue = new TaskQueue(_backend);

        var refused = await queue.EnqueueAsync(new Add(22, 0), new EnqueueOptions { Retry = RetryPolicy.None });
        var next = await queue.EnqueueAsync(new Add(1, 0));

        Assert.Contains("refused", (await queue.GetResultAsync(refused.Id, Bound))!.Error, StringComparison.Ordinal);
        Assert.Equal(1, await next.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_task_that_can_be_settled_in_no_way_is_released_and_runs_again()
    {
        var broken = true;
        var backend = FaultyBackend.Over(_backend, (call, _) =>
            call == nameof(IBackend.SettleAsync) && Volatile.Read(ref broken) ? new InvalidOperationException("no way") : null);
        await using var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        await using var queue = new TaskQueue(_backend);

        var handle = await queue.EnqueueAsync(new Add(1, 0));
        await Eventually.TrueAsync(() => _log.Has(212), "the attempt is left to be released");
        Volatile.Write(ref broken, false);

        Assert.Equal(1, await handle.WaitAsync(Bound));
        Assert.Equal(1, (await queue.GetResultAsync(handle.Id))!.Attempts);
    }

    [Fact]
    public async Task A_heartbeat_that_throws_anything_is_written_again()
    {
        var failures = 3;
        var beats = 0;
        var backend = FaultyBackend.Over(_backend, (call, _) =>
        {
            if (call != nameof(IBackend.Heartbeat))
            {
                return null;
            }

            Interlocked.Increment(ref beats);
            return Interlocked.Decrement(ref failures) >= 0 ? new InvalidOperationException("beat") : null;
        });
        await using var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        await Eventually.TrueAsync(() => Volatile.Read(ref beats) > 10, "the heartbeat thread lives");
        await Eventually.TrueAsync(() => _log.Entries.Count(entry => entry.Id == 105) == 3, "each failure is logged");
    }

    [Fact]
    public async Task A_progress_report_that_throws_anything_costs_the_attempt_nothing()
    {
        var backend = FaultyBackend.Over(
            _backend, (call, _) => call == nameof(IBackend.ReportProgressAsync) ? new InvalidOperationException("progress") : null);
        await using var worker = new TaskWorker(
            backend,
            new TaskHandlers().Add<Add, int>((task, context) =>
            {
                context.ReportProgress(0.5);
                return task.Left;
            }),
            OneSlot,
            _log);
        await worker.StartAsync();
        await using var queue = new TaskQueue(_backend);
        Assert.Equal(1, await (await queue.EnqueueAsync(new Add(1, 0), new EnqueueOptions { Retry = RetryPolicy.None })).WaitAsync(Bound));
    }

    /// <summary>A clock that stops working when the test says so.</summary>
    private sealed class BrokenClock : TimeProvider
    {
        private volatile bool _isBroken;
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public void Break() => _isBroken = true;

        public override long TimestampFrequency => _isBroken ? throw new FormatException("frequency") : base.TimestampFrequency;

        public override long GetTimestamp() => Count() ? throw new FormatException("timestamp") : base.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => Count() ? throw new FormatException("now") : base.GetUtcNow();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            Count() ? throw new FormatException("timer") : base.CreateTimer(callback, state, dueTime, period);

        private bool Count()
        {
            Interlocked.Increment(ref _calls);
            return _isBroken;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_clock_that_throws_ends_no_attempt_no_worker_and_no_writer(bool fromTheStart)
    {
        var clock = new BrokenClock();
        if (fromTheStart)
        {
            clock.Break();
        }

        var storeLog = new RecordingLogger<SqliteBackend>();
        await using var backend = new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock }, storeLog);
        await using var queue = new TaskQueue(backend);
        var handlers = Adds.Add<Ping>(async (_, context) => await Task.Delay(Timeout.Infinite, context.CancellationToken));
        await using (var worker = new TaskWorker(backend, handlers, OneSlot with { TimeProvider = clock }, _log))
        {
            await worker.StartAsync();
            clock.Break();
            for (var i = 0; i < 20; i++)
            {
                Assert.Equal(i, await (await queue.EnqueueAsync(new Add(i, 0))).WaitAsync(Bound));
            }

            var options = new EnqueueOptions { Timeout = TimeSpan.FromMilliseconds(20), Retry = RetryPolicy.None };
            var late = await queue.EnqueueAsync(new Ping(), options);
            Assert.Contains("timeout", (await queue.GetResultAsync(late.Id, Bound))!.Error, StringComparison.Ordinal);
        }

        Assert.Single(_log.Entries, entry => entry.Id == 111);
        await Eventually.TrueAsync(() => storeLog.Has(111), "the store says so too");
        Assert.Single(storeLog.Entries, entry => entry.Id == 111);
        Assert.False(storeLog.Has(300));
        Assert.InRange(clock.Calls, 1, 10_000); // A loop that spins asks hundreds of thousands of times.
    }

    /// <summary>A logger that throws wherever it is called.</summary>
    private sealed class SpitefulLogger<T> : ILogger<T>, IDisposable
    {
        public IDisposable BeginScope<TState>(TState state)
            where TState : notnull => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new FormatException("log");

        public void Dispose() => throw new FormatException("scope");
    }

    [Fact]
    public async Task A_logger_that_throws_in_every_call_and_scope_costs_nothing()
    {
        await using var backend = new SqliteBackend(":memory:", null, new SpitefulLogger<SqliteBackend>());
        await using var queue = new TaskQueue(backend);
        var handlers = new TaskHandlers().Add<Add, int>(
            (task, context) => context.Attempt < 2 ? throw new FormatException("not yet") : task.Left);
        await using var worker = new TaskWorker(backend, handlers, OneSlot, new SpitefulLogger<TaskWorker>());
        await worker.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(i, await (await queue.EnqueueAsync(new Add(i, 0), new EnqueueOptions { Retry = Quick })).WaitAsync(Bound));
        }
    }

    [Fact]
    public async Task What_a_reserve_or_cancel_callback_throws_stays_with_its_worker()
    {
        await using var queue = new TaskQueue(_backend);
        var owner = await _backend.BeginWorkerAsync(new WorkerRegistration
        {
            Lease = TimeSpan.FromSeconds(30), TaskNames = ["add"], CancelRequested = _ => throw new FormatException("cancel"),
        });
        var handle = await queue.EnqueueAsync(new Add(1, 0));
        var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Queues = [Defaults.Queue], Wait = TimeSpan.Zero };
        var broken = request with { FreeSlots = () => throw new FormatException("free") };
        await Assert.ThrowsAsync<BackendException>(() => _backend.ReserveAsync(broken).AsTask());
        Assert.Single(await _backend.ReserveAsync(request));
        Assert.Equal(CancelOutcome.Requested, await queue.CancelAsync(handle.Id));
        await using var worker = new TaskWorker(_backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        Assert.Equal(2, await (await queue.EnqueueAsync(new Add(2, 0))).WaitAsync(Bound));
    }

    [Fact]
    public async Task A_reserve_that_ends_as_cancelled_unasked_is_tried_again_with_pauses()
    {
        var calls = 0;
        var broken = true;
        var backend = FaultyBackend.Over(_backend, (call, _) =>
        {
            if (call != nameof(IBackend.ReserveAsync) || !Volatile.Read(ref broken))
            {
                return null;
            }

            Interlocked.Increment(ref calls);
            return new OperationCanceledException("nobody asked");
        });
        await using var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await worker.StartAsync();
        await Eventually.TrueAsync(() => Volatile.Read(ref calls) >= 4, "it is tried again");
        Assert.InRange(_log.Entries.Count(entry => entry.Id == 104), 3, 20);
        Volatile.Write(ref broken, false);
        await using var queue = new TaskQueue(_backend);
        Assert.Equal(1, await (await queue.EnqueueAsync(new Add(1, 0))).WaitAsync(Bound));
    }

    [Fact]
    public async Task A_token_callback_that_throws_is_logged_and_the_attempt_ends()
    {
        var unobserved = new ConcurrentQueue<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs args) => unobserved.Enqueue(args.Exception);
        TaskScheduler.UnobservedTaskException += Note;
        var handlers = new TaskHandlers().Add<Ping>(async (_, context) =>
        {
            await using var registration = context.CancellationToken.Register(() => throw new FormatException("callback"));
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        });
        await using var worker = new TaskWorker(_backend, handlers, OneSlot, _log);
        await worker.StartAsync();
        await using var queue = new TaskQueue(_backend);
        var handle = await queue.EnqueueAsync(
            new Ping(), new EnqueueOptions { Timeout = TimeSpan.FromMilliseconds(10), Retry = RetryPolicy.None });
        Assert.Equal(TaskState.Failed, (await queue.GetResultAsync(handle.Id, Bound))!.State);
        await Eventually.TrueAsync(() => _log.Has(213), "the callback's exception is logged");
        GC.Collect();
        GC.WaitForPendingFinalizers();
        TaskScheduler.UnobservedTaskException -= Note;
        Assert.DoesNotContain(unobserved, e => e.ToString().Contains("callback", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_start_that_is_cancelled_leaves_no_worker_behind()
    {
        await _backend.InitializeAsync();
        using var cancelling = new CancellationTokenSource();
        var mayBegin = new TaskCompletionSource();
        async Task<WorkerId> BeginLateAsync(WorkerRegistration worker)
        {
            await cancelling.CancelAsync();
            await mayBegin.Task;
            return await _backend.BeginWorkerAsync(worker);
        }

        var backend = FaultyBackend.Over(_backend, (call, args) => call == nameof(IBackend.BeginWorkerAsync)
            ? new ValueTask<WorkerId>(BeginLateAsync((WorkerRegistration)args[0]!))
            : null);
        var worker = new TaskWorker(backend, Adds, OneSlot, _log);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => worker.StartAsync(cancelling.Token));
        mayBegin.SetResult();
        await worker.DisposeAsync();
        Assert.Empty(await ((IQueueInspector)_backend).ListWorkersAsync());
        Assert.True(_log.Has(101));
    }
}
