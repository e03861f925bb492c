using Errand.Sqlite.Engine;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>A caller that is alone takes the turn on its own thread, and only then; what it leaves to the thread is done in time.</summary>
public sealed class LoneCallerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _committedBy;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static NewTask Note(DateTimeOffset? due = null) => new() { Name = "note", Payload = "1"u8.ToArray(), DueAt = due };

    private SqliteBackend Backend(string path) => new(
        path,
        new SqliteBackendOptions
        {
            Reached = point => _committedBy = point == EnginePoint.Commit ? Environment.CurrentManagedThreadId : _committedBy,
        });

    [Theory]
    [InlineData("tasks.db")]
    [InlineData(":memory:")]
    public async Task A_caller_that_is_alone_has_its_answer_when_the_call_returns(string name)
    {
        await using var backend = Backend(name == ":memory:" ? name : _folder.File(name));
        await backend.EnqueueAsync([Note()], Token);

        await Eventually.TrueAsync(() => IsTakenHereAsync(backend, 1), "a lone caller takes its turn");
    }

    [Fact]
    public async Task Bulk_and_whoever_has_a_synchronization_context_leave_the_turn_to_the_thread()
    {
        await using var backend = Backend(_folder.File("tasks.db"));
        for (var i = 0; i < 20; i++)
        {
            Assert.False(await IsTakenHereAsync(backend, 2));
            Assert.False(await Task.Run(() =>
            {
                SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
                try
                {
                    return IsTakenHereAsync(backend, 1);
                }
                finally
                {
                    SynchronizationContext.SetSynchronizationContext(null);
                }
            }));
        }
    }

    [Fact]
    public async Task While_a_stranger_holds_the_file_the_call_returns_at_once_and_the_task_follows()
    {
        var path = _folder.File("tasks.db");
        await using var backend = Backend(path);
        await backend.EnqueueAsync([Note()], Token);
        await Eventually.TrueAsync(() => IsTakenHereAsync(backend, 1), "a lone caller takes its turn");

        using var stranger = FileTests.Open(path);
        using var transaction = stranger.BeginTransaction(deferred: false);
        var enqueue = backend.EnqueueAsync([Note()], Token).AsTask();
        Assert.False(enqueue.IsCompleted);
        transaction.Rollback();
        Assert.Single(await enqueue);
        await Eventually.TrueAsync(() => IsTakenHereAsync(backend, 1), "a lone caller takes its turn again");
    }

    [Fact]
    public async Task A_task_that_a_lone_caller_delays_starts_on_time_though_the_thread_slept_for_longer()
    {
        var clock = new ManualTimeProvider();
        await using var backend = new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock });
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromHours(1), TaskNames = ["note"] }, Token);
        for (var i = 1; i <= 50; i++)
        {
            await backend.EnqueueAsync([Note()], Token);
            await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token);
            var waiting = backend.ReserveAsync(
                new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.FromMinutes(30) }, Token).AsTask();
            var ids = await backend.EnqueueAsync([Note(clock.GetUtcNow() + TimeSpan.FromSeconds(5))], Token);
            clock.Advance(TimeSpan.FromSeconds(5));
            Assert.Equal(ids[0].Id, Assert.Single(await waiting.WaitAsync(TimeSpan.FromSeconds(30), Token)).Lease.Id);
        }
    }

    /// <summary>Whether an enqueue was committed on the thread of this call before it returned.</summary>
    private async Task<bool> IsTakenHereAsync(SqliteBackend backend, int tasks)
    {
        _committedBy = 0;
        var enqueue = backend.EnqueueAsync([.. Enumerable.Repeat(Note(), tasks)], Token);
        var isHere = enqueue.IsCompletedSuccessfully && _committedBy == Environment.CurrentManagedThreadId;
        await enqueue;
        return isHere;
    }
}
