using Errand.PowerCut;
using Errand.Sqlite.Data;
using Errand.Sqlite.Engine;
using Errand.TestKit;
using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Tests;

/// <summary>
/// What an operator changes while the disk fails: it is done once, and its answer is true, also when a commit was done after all that
/// had not been seen to succeed.
/// </summary>
public sealed class RetryDeleteFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(RecordKind.Write, 778)] // SQLITE_IOERR_WRITE
    [InlineData(RecordKind.Sync, 1034)] // SQLITE_IOERR_FSYNC
    internal async Task Whichever_operation_of_the_disk_fails_a_retry_and_a_delete_are_done_once_and_say_so(RecordKind kind, int code)
    {
        using var held = await CutFileSystem.TakeAsync();
        for (var n = 1; ; n++)
        {
            await using var backend = new SqliteBackend(
                _folder.File($"{n}.db"), new SqliteBackendOptions { Vfs = CutFileSystem.Name, TimeProvider = new ManualTimeProvider() });
            var owner = await backend.BeginWorkerAsync(
                new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = ["note"] }, Token);
            var ids = await FailedAsync(backend, owner);
            CutFileSystem.Record(_folder.File("journal"));
            CutFileSystem.Fail(kind, n, n, code);

            Assert.True(await backend.RetryAsync(ids[0], Token));
            Assert.True(await backend.DeleteAsync(ids[1], Token));
            Assert.Equal(2, await backend.RetryAsync(new TaskFilter(), Token));

            var wasReached = CutFileSystem.Count(kind) >= n;
            CutFileSystem.FailNone(kind);
            CutFileSystem.EndRecord(_folder.File("journal"));
            await CheckAsync(backend, owner, ids);
            if (!wasReached)
            {
                Assert.True(n > 3, "nothing failed");
                return;
            }
        }
    }

    /// <summary>
    /// A commit fails, and the change that it carried is there all the same when it is made again. Another backend stands for the
    /// disk that kept it: it makes the change at the moment at which the connection is replaced.
    /// </summary>
    [Theory]
    [InlineData("retry")]
    [InlineData("retry by filter")]
    [InlineData("retry of what is due later")]
    [InlineData("delete")]
    public async Task A_change_whose_commit_was_done_after_all_is_answered_as_if_it_had_been_seen(string change)
    {
        var path = _folder.File("tasks.db");
        await using var disk = new SqliteBackend(path);
        var owner = await disk.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = ["note"] }, Token);
        var ids = await FailedAsync(disk, owner);
        var later = (await disk.EnqueueAsync(
            [new NewTask { Name = "note", Payload = default, Delay = TimeSpan.FromDays(1) }], Token))[0].Id;
        var fails = false;
        var isReplaced = false;
        var options = new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Commit && Interlocked.Exchange(ref fails, false))
                {
                    throw SqliteErrors.From(1034, "disk I/O error", "The disk");
                }
            },
        };
        await using var backend = new SqliteBackend(path, options, new AtReplacement(() =>
        {
            isReplaced = true;
            Assert.True(ChangeAsync(disk).WaitAsync(Eventually.Bound, Token).GetAwaiter().GetResult());
        }));
        await backend.InitializeAsync(Token);
        Volatile.Write(ref fails, true);

        Assert.True(await ChangeAsync(backend));

        Assert.True(isReplaced);
        Assert.Empty((await backend.VerifyAsync(Token)).Problems);

        async Task<bool> ChangeAsync(SqliteBackend on) => change switch
        {
            "retry" => await on.RetryAsync(ids[0], Token),
            "retry by filter" => await on.RetryAsync(new TaskFilter(), Token) == ids.Length,
            "retry of what is due later" => await on.RetryAsync(later, Token),
            _ => await on.DeleteAsync(ids[0], Token),
        };
    }

    private sealed class AtReplacement(Action action) : ILogger<SqliteBackend>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == 301)
            {
                action();
            }
        }
    }

    private static async Task<TaskId[]> FailedAsync(SqliteBackend backend, WorkerId owner)
    {
        var task = new NewTask { Name = "note", Payload = new byte[2_000] };
        var ids = (await backend.EnqueueAsync([task, task, task, task], Token)).Select(one => one.Id).ToArray();
        foreach (var taken in await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 4 }, Token))
        {
            Assert.True(await backend.MarkFailureAsync(taken.Lease, "no", null, Token));
        }

        return ids;
    }

    private static async Task CheckAsync(SqliteBackend backend, WorkerId owner, TaskId[] ids)
    {
        Assert.Empty((await backend.VerifyAsync(Token)).Problems);
        await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.DeleteAsync(ids[1], Token).AsTask());
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 9, Wait = TimeSpan.Zero }, Token);
        Assert.Equal([(ids[0], 2L), (ids[2], 2L), (ids[3], 2L)], taken.Select(task => (task.Lease.Id, task.Lease.Epoch)).Order());
        Assert.All(taken, task => Assert.Equal(1, task.Attempt));
    }
}
