using Errand.PowerCut;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>
/// What an operator changes while the disk fails at one operation: it is done once, and its answer is true, also when a commit failed
/// that was done after all.
/// </summary>
public sealed class GovernFaultTests : IDisposable
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

    private static async Task<long[]> FailedAsync(SqliteBackend backend, long owner)
    {
        var task = new NewTask { Name = "note", Payload = new byte[2_000] };
        var ids = (await backend.EnqueueAsync([task, task, task, task], Token)).Select(one => one.Id).ToArray();
        foreach (var taken in await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 4 }, Token))
        {
            Assert.True(await backend.MarkFailureAsync(taken.Lease, new TaskFailure("no", null), Token));
        }

        return ids;
    }

    private static async Task CheckAsync(SqliteBackend backend, long owner, long[] ids)
    {
        Assert.Empty((await backend.VerifyAsync(Token)).Problems);
        await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.DeleteAsync(ids[1], Token).AsTask());
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 9, Wait = TimeSpan.Zero }, Token);
        Assert.Equal([(ids[0], 2L), (ids[2], 2L), (ids[3], 2L)], taken.Select(task => (task.Lease.Id, task.Lease.Epoch)).Order());
        Assert.All(taken, task => Assert.Equal(1, task.Attempt));
    }
}
