using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>A file that is taken away or replaced while it is open: nothing more is acknowledged.</summary>
public sealed class ReplacedFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Harms => ["deleted", "deleted with its log", "moved", "replaced", "replaced by an empty file", "log deleted"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static void Harm(string path, string how)
    {
        switch (how)
        {
            case "deleted":
                File.Delete(path);
                break;
            case "deleted with its log":
                File.Delete(path);
                File.Delete(path + "-wal");
                File.Delete(path + "-shm");
                break;
            case "moved":
                File.Move(path, path + ".old");
                break;
            case "replaced":
                File.Move(path + ".backup", path, overwrite: true);
                break;
            case "replaced by an empty file":
                File.Delete(path);
                File.Create(path).Dispose();
                break;
            case "log deleted":
                Thread.Sleep(150); // The log is looked for ten times a second.
                File.Delete(path + "-wal");
                break;
            default:
                Assert.Fail(how);
                break;
        }
    }

    [Theory]
    [MemberData(nameof(Harms))]
    public async Task A_call_after_it_fails_and_so_does_every_later_one(string how)
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var before = await queue.EnqueueAsync(new Note(1), null, Token);
        await backend.BackupAsync(path + ".backup", cancellationToken: Token);

        Harm(path, how);

        var refused = await Assert.ThrowsAsync<DatabaseReplacedException>(() => queue.EnqueueAsync(new Note(2), null, Token));
        Assert.Contains("deleted, moved or replaced while it was open", refused.Message, StringComparison.Ordinal);
        Assert.False(refused.IsTransient);
        await Assert.ThrowsAsync<DatabaseReplacedException>(() => queue.GetResultAsync(before.Id, cancellationToken: Token));
        await Assert.ThrowsAsync<DatabaseReplacedException>(() => queue.EnqueueAsync(new Note(3), null, Token));
        await Assert.ThrowsAsync<DatabaseReplacedException>(async () => await backend.GetOverviewAsync(Token));
    }

    [Theory]
    [MemberData(nameof(Harms))]
    public async Task An_idle_worker_notices_it(string how)
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), new EnqueueOptions { Delay = TimeSpan.FromHours(1) }, Token);
        await backend.BackupAsync(path + ".backup", cancellationToken: Token);
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        var waiting = backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.FromMinutes(5) }, Token).AsTask();

        Harm(path, how);

        await Assert.ThrowsAsync<DatabaseReplacedException>(() => waiting.WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task A_folder_that_is_deleted_ends_nothing_but_the_backend()
    {
        var folder = Directory.CreateDirectory(_folder.File("gone")).FullName;
        await using var backend = new SqliteBackend(Path.Combine(folder, "tasks.db"));
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await worker.StartAsync(Token);
        Assert.Equal(7, await (await queue.EnqueueAsync(new Note(7), null, Token)).WaitAsync(Eventually.Bound, Token));

        Directory.Delete(folder, recursive: true);

        await Assert.ThrowsAsync<DatabaseReplacedException>(() => queue.EnqueueAsync(new Note(8), null, Token));
    }

    [Fact]
    public async Task A_file_that_is_put_back_is_open_to_a_new_backend()
    {
        var path = _folder.File("tasks.db");
        await using (var backend = new SqliteBackend(path))
        {
            await using var queue = new TaskQueue(backend);
            await queue.EnqueueAsync(new Note(1), null, Token);
            File.Move(path, path + ".old");
            await Assert.ThrowsAsync<DatabaseReplacedException>(() => queue.EnqueueAsync(new Note(2), null, Token));
            Assert.False(File.Exists(path));
        }

        File.Move(path + ".old", path);
        await using var next = new SqliteBackend(path);
        await next.InitializeAsync(Token);

        Assert.Equal(1L, FileTests.Scalar(path, "select count(*) from errand_tasks"));
    }

    [Fact]
    public async Task A_file_with_two_names_is_refused_and_left_as_it_was()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "How many names a file has is known on Linux alone.");
        var path = _folder.File("tasks.db");
        await using (var maker = new SqliteBackend(path))
        {
            await maker.InitializeAsync(Token);
        }

        using (var link = System.Diagnostics.Process.Start("ln", [path, _folder.File("second.db")]))
        {
            await link.WaitForExitAsync(Token);
        }

        await using var backend = new SqliteBackend(_folder.File("second.db"));

        var refused = await Assert.ThrowsAsync<BackendException>(async () => await backend.InitializeAsync(Token));
        Assert.Contains("2 names (hard links)", refused.Message, StringComparison.Ordinal);
    }
}
