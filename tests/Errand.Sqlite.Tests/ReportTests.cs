using Errand.Sqlite.Engine;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>What a transaction has to report once it is committed is reported, whatever fails after it in the same turn.</summary>
public sealed class ReportTests : IDisposable
{
    private const int WorkerGone = 303;

    private readonly TemporaryFolder _folder = new();
    private readonly ManualTimeProvider _clock = new();
    private readonly RecordingLogger<SqliteBackend> _log = new();
    private readonly ManualResetEventSlim _mayCommit = new(initialState: true);
    private readonly SemaphoreSlim _commits = new(0);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _mayCommit.Dispose();
        _commits.Dispose();
        _folder.Dispose();
    }

    private static NewTask Note(int size = 2) => new() { Name = "note", Payload = new byte[size] };

    private static WorkerRegistration Worker(TimeSpan lease) => new() { Lease = lease, TaskNames = ["note"] };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_that_is_gone_is_reported_although_an_enqueue_of_the_same_turn_fails(bool fails)
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(
            path, new SqliteBackendOptions { TimeProvider = _clock, MaxDatabaseBytes = 1024 * 1024, Reached = WaitAtCommit }, _log);
        await LeaveAWorkerBehindAsync(path);
        await backend.BeginWorkerAsync(Worker(TimeSpan.FromMinutes(1)), Token);
        for (var i = 0; i < 9; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
            await backend.InitializeAsync(Token);
        }

        // While one turn stands at its commit, the lease runs out and the enqueue arrives: the next turn has both.
        _mayCommit.Reset();
        while (_commits.Wait(0, Token))
        {
        }

        var before = Task.Run(() => backend.EnqueueAsync([Note()], Token).AsTask(), Token); // A lone caller may take the turn itself.
        await _commits.WaitAsync(Token);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var enqueue = backend.EnqueueAsync([Note(fails ? 2 * 1024 * 1024 : 2)], Token).AsTask();
        Assert.False(_log.Has(WorkerGone));
        _mayCommit.Set();

        await before;
        if (fails)
        {
            await Assert.ThrowsAsync<BackendFullException>(() => enqueue);
        }
        else
        {
            await enqueue;
        }

        await Eventually.TrueAsync(() => _log.Has(WorkerGone), "the worker that is gone is reported");
    }

    private void WaitAtCommit(EnginePoint point)
    {
        if (point == EnginePoint.Commit)
        {
            _commits.Release();
            _mayCommit.Wait();
        }
    }

    /// <summary>A backend that is disposed without ending its worker: only the lease tells that it is gone.</summary>
    private static async Task LeaveAWorkerBehindAsync(string path)
    {
        await using var other = new SqliteBackend(path);
        var owner = await other.BeginWorkerAsync(Worker(TimeSpan.FromSeconds(5)), Token);
        await other.EnqueueAsync([Note()], Token);
        Assert.Single(await other.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token));
    }
}
