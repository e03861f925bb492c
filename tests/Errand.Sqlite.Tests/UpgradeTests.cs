using Errand.Sqlite.Data;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>
/// A new version of Errand upgrades a file that an old one has open. The new version is this one with a made-up second migration.
/// </summary>
public sealed class UpgradeTests : IDisposable
{
    private const int Outdated = 307;

    private readonly TemporaryFolder _folder = new();
    private readonly RecordingLogger<SqliteBackend> _log = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => _folder.File("tasks.db");

    public void Dispose() => _folder.Dispose();

    private static SqliteBackendOptions Newer(int writer = 1) => new()
    {
        Migrations = [.. Migration.All, new Migration("alter table errand_tasks add column made_up integer", Reader: 1, writer)],
    };

    [Fact]
    public async Task An_old_engine_finishes_what_it_runs_and_takes_nothing_new()
    {
        await using var old = new SqliteBackend(Path, null, _log);
        await using var oldQueue = new TaskQueue(old);
        using var mayEnd = new SemaphoreSlim(0);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var byOld = 0;
        await using var oldWorker = new TaskWorker(old, new TaskHandlers().Add<Note, int>(async (note, context) =>
        {
            Interlocked.Increment(ref byOld);
            context.ReportProgress(0.5);
            started.SetResult();
            await mayEnd.WaitAsync(context.CancellationToken);
            return note.Number;
        }));
        await oldWorker.StartAsync(Token);
        var running = await oldQueue.EnqueueAsync(new Note(1), null, Token);
        await started.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);

        await using var upgraded = new SqliteBackend(Path, Newer());
        await using var queue = new TaskQueue(upgraded);
        var left = await queue.EnqueueAsync(new Note(2), null, Token);
        Assert.Equal(2L, FileTests.Scalar(Path, "select version from errand_meta"));
        await Eventually.TrueAsync(() => _log.Has(Outdated), "the old engine says that it is old");

        await Assert.ThrowsAsync<SchemaTooNewException>(() => oldQueue.EnqueueAsync(new Note(3), null, Token));
        await Assert.ThrowsAsync<SchemaTooNewException>(() => oldQueue.EnqueueAsync(new Note(3), null, Token));
        mayEnd.Release();
        Assert.Equal(1, await running.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(1, await new TaskHandle<int>(queue, running.Id).WaitAsync(TimeSpan.FromSeconds(30), Token));

        await using var worker = new TaskWorker(upgraded, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await worker.StartAsync(Token);
        await left.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await oldWorker.StopAsync(Token);
        Assert.Equal(1, byOld);
        Assert.Single(_log.Entries, entry => entry.Id == Outdated);
        Assert.Equal(0L, FileTests.Scalar(Path, "select count(*) from errand_tasks"));
        Assert.True((await upgraded.VerifyAsync(Token)).IsSound);
    }

    [Fact]
    public async Task A_process_of_the_old_version_finishes_what_it_runs_on_a_file_that_another_upgrades()
    {
        var file = _folder.File("go on");
        await using var old = DummyProcess.Start("work", Path);
        await using var upgraded = new SqliteBackend(Path, Newer());
        await using (var before = new SqliteBackend(Path))
        {
            await using var queue = new TaskQueue(before);
            await queue.EnqueueAsync(new UntilFile(file), null, Token);
            await Eventually.TrueAsync(() => old.Lines.Any(line => line.StartsWith("until ", StringComparison.Ordinal)), "the old process runs the task",
                TimeSpan.FromSeconds(60));
        }

        await using var newQueue = new TaskQueue(upgraded);
        var left = await newQueue.EnqueueAsync(new UntilFile(file), null, Token);
        await File.WriteAllTextAsync(file, "", Token);
        await Eventually.TrueAsync(
            () => FileTests.Scalar(Path, "select count(*) from errand_finished where state = 20") is 1L, "the old process ends its task",
            TimeSpan.FromSeconds(60));
        await using var worker = new TaskWorker(upgraded, new TaskHandlers().Add<UntilFile, int>((_, context) => context.Attempt));
        await worker.StartAsync(Token);
        Assert.Equal(1, await left.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Single(old.Lines, line => line.StartsWith("until ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_engine_that_may_not_write_any_more_writes_nothing()
    {
        await using var old = new SqliteBackend(Path);
        var owner = await old.BeginWorkerAsync(new() { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        await old.EnqueueAsync([new() { Name = "note", Payload = "{}"u8.ToArray() }], Token);
        var task = Assert.Single(await old.ReserveAsync(new() { Owner = owner, MaxTasks = 1 }, Token));
        await using (var upgraded = new SqliteBackend(Path, Newer(writer: 2)))
        {
            await upgraded.InitializeAsync(Token);
        }

        await Assert.ThrowsAsync<SchemaTooNewException>(() => old.MarkSuccessAsync(task.Lease, default, Token).AsTask());
        Assert.Equal(12L, FileTests.Scalar(Path, "select state from errand_tasks"));
    }

    [Fact]
    public async Task An_old_engine_that_comes_after_the_upgrade_is_refused()
    {
        await using (var upgraded = new SqliteBackend(Path, Newer()))
        {
            await upgraded.InitializeAsync(Token);
        }

        await using var old = new SqliteBackend(Path);
        var refused = await Assert.ThrowsAsync<SchemaTooNewException>(() => old.InitializeAsync(Token).AsTask());
        Assert.Contains("has schema version 2, but this version of Errand knows versions up to 1.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_on_an_upgraded_file_may_complete_a_task_but_enqueue_none()
    {
        await using var old = new SqliteBackend(Path);
        var owner = await old.BeginWorkerAsync(new() { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        await old.EnqueueAsync([new() { Name = "note", Payload = "{}"u8.ToArray() }], Token);
        var task = Assert.Single(await old.ReserveAsync(new() { Owner = owner, MaxTasks = 1 }, Token));
        await using (var upgraded = new SqliteBackend(Path, Newer()))
        {
            await upgraded.InitializeAsync(Token);
        }

        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path};Pooling=False");
        connection.Open();
        using (var transaction = connection.BeginTransaction())
        {
            await Assert.ThrowsAsync<SchemaTooNewException>(
                () => old.EnqueueInAsync([new() { Name = "note", Payload = "{}"u8.ToArray() }], transaction, Token).AsTask());
            Assert.True(await old.CompleteInAsync(task.Lease, default, transaction, Token));
            transaction.Commit();
        }

        Assert.Equal(20L, FileTests.Scalar(Path, "select state from errand_finished"));
    }

    [TaskName("until-file")]
    internal sealed record UntilFile(string Path) : ITask<int>;
}
