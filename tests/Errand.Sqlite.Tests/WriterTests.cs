using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>How the writer thread behaves between turns.</summary>
[Collection(nameof(Alone))]
public sealed class WriterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_sleeps_while_a_due_task_waits_for_a_free_slot()
    {
        var clock = new CountingClock();
        await using var backend = new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock });
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        var free = 0;
        var waiting = backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 1, FreeSlots = () => Volatile.Read(ref free) }, Token).AsTask();
        var added = await backend.EnqueueAsync(
            [new NewTask { Name = "note", Payload = default, Delay = TimeSpan.FromMilliseconds(1) }], Token);
        await Task.Delay(50, Token);
        var before = clock.Reads;

        await Task.Delay(500, Token);

        Assert.InRange(clock.Reads - before, 0, 20);
        Assert.False(waiting.IsCompleted);
        Volatile.Write(ref free, 1);
        Assert.Equal(added[0].Id, Assert.Single(await waiting.WaitAsync(Eventually.Bound, Token)).Lease.Id);
    }

    /// <summary>
    /// What a power cut takes needs a disk that can be cut; what can be seen here is that the commit which carries the owed sync is
    /// made when nobody else writes, and made once.
    /// </summary>
    [Fact]
    public async Task Under_relaxed_an_idle_writer_commits_once_more_to_carry_the_sync_that_it_owes()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("tasks.db");
        var clock = new ManualTimeProvider();
        await using var backend = new SqliteBackend(
            path, new SqliteBackendOptions { Durability = Durability.Relaxed, TimeProvider = clock });
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), null, Token);
        await queue.EnqueueAsync(new Note(2), null, Token);
        Assert.Equal(0L, Syncs());

        clock.Advance(TimeSpan.FromSeconds(1));
        await Eventually.TrueAsync(() => Syncs() == 1, "the sync is carried");
        clock.Advance(TimeSpan.FromSeconds(1));
        await backend.InitializeAsync(Token);
        await backend.InitializeAsync(Token);
        Assert.Equal(1L, Syncs());

        long Syncs() => (long)FileTests.Scalar(path, "select syncs from errand_counters")!;
    }

    [Fact]
    public async Task A_logger_that_throws_harms_neither_writer_nor_worker()
    {
        await using var backend = new SqliteBackend(":memory:", null, new Spiteful<SqliteBackend>());
        await using var queue = new TaskQueue(backend);
        var handlers = new TaskHandlers().Add<Note, int>(
            (note, context) => context.Attempt == 1 ? throw new FormatException() : note.Number);
        await using var worker = new TaskWorker(backend, handlers, null, new Spiteful<TaskWorker>());
        await worker.StartAsync(Token);
        await backend.EnqueueAsync([new NewTask { Name = "nobody-knows", Payload = default }], Token);

        var retry = new RetryPolicy { Delay = TimeSpan.FromMilliseconds(1) };
        var handle = await queue.EnqueueAsync(new Note(3), new EnqueueOptions { Retry = retry }, Token);

        Assert.Equal(3, await handle.WaitAsync(Eventually.Bound, Token));
    }

    private sealed class Spiteful<T> : Microsoft.Extensions.Logging.ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => throw new FormatException();

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => throw new FormatException();

        public void Log<TState>(
            Microsoft.Extensions.Logging.LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state,
            Exception? exception, Func<TState, Exception?, string> formatter) => throw new FormatException();
    }
}
