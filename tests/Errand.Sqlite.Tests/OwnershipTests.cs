using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Whose a task is stays true where locks do not lock, rows are missing, or a stranger holds the file.</summary>
public sealed class OwnershipTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static DummyProcess StartWithoutLocks(string path, string lease) =>
        DummyProcess.StartWith("DOTNET_SYSTEM_IO_DISABLEFILELOCKING", "1", "work", path, lease);

    [Fact]
    public async Task Where_file_locks_do_not_lock_two_workers_leave_each_other_alone_and_say_so()
    {
        var path = _folder.File("tasks.db");
        var mayEnd = _folder.File("may-end");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await using var first = StartWithoutLocks(path, "3000");
        await first.PrintsAsync(line => line.StartsWith("log 309 ", StringComparison.Ordinal), "that locks do not lock");
        await first.PrintsAsync(line => line == "ready", "ready");
        var handle = await queue.EnqueueAsync(new UntilFile(mayEnd), null, Token);
        await first.PrintsAsync(line => line == $"until {handle.Id} 1 1", "that the task has started");
        await using var second = StartWithoutLocks(path, "3000");
        await second.PrintsAsync(line => line == "ready", "ready");
        await using var third = DummyProcess.Start("work", path, "3000"); // Its locks would lock.
        await third.PrintsAsync(line => line == "ready", "ready");
        await Task.Delay(TimeSpan.FromSeconds(4), Token); // Longer than the lease.
        await File.WriteAllTextAsync(mayEnd, "", Token);

        Assert.Equal(1, await handle.WaitAsync(Eventually.Bound, Token));
        Assert.DoesNotContain(
            first.Lines.Concat(second.Lines).Concat(third.Lines), line => line.StartsWith("log 303 ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Where_file_locks_do_not_lock_the_lease_brings_back_the_tasks_of_a_process_that_was_killed()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Hang(), null, Token);
        await using var first = StartWithoutLocks(path, "1000");
        await first.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");
        await first.KillAsync();

        await using var second = StartWithoutLocks(path, "1000");
        await second.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that it goes on with the task");
    }

    [Fact]
    public async Task A_running_task_whose_worker_has_no_row_waits_again()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Hang(), null, Token);
        await using var first = DummyProcess.Start("work", path);
        await first.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");
        await first.KillAsync();
        FileTests.Execute(path, "delete from errand_workers; delete from errand_worker_names");

        await using var second = DummyProcess.Start("work", path);

        await second.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that the task goes on");
        await second.PrintsAsync(line => line.StartsWith("log 308 ", StringComparison.Ordinal), "that it was released");
        Assert.True((await backend.VerifyAsync(Token)).IsSound);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(1_900)]
    public async Task A_stranger_that_holds_the_file_for_longer_than_the_lease_steals_nothing(int lease)
    {
        var path = _folder.File("tasks.db");
        var mayEnd = _folder.File("may-end");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new UntilFile(mayEnd), null, Token);
        var options = new TaskWorkerOptions
        {
            Lease = TimeSpan.FromMilliseconds(lease), Heartbeat = TimeSpan.FromMilliseconds(lease / 2d), Concurrency = 1,
        };
        var starts = 0;
        var handlers = new TaskHandlers().Add<UntilFile, int>(async (task, context) =>
        {
            Interlocked.Increment(ref starts);
            await Eventually.TrueAsync(() => File.Exists(task.Path), "the task may end");
            return context.Attempt;
        });
        await using var other = new SqliteBackend(path);
        await using var first = new TaskWorker(backend, handlers, options);
        await using var second = new TaskWorker(other, handlers, options);
        await first.StartAsync(Token);
        await Eventually.TrueAsync(() => starts == 1, "the task has started");
        await second.StartAsync(Token);
        for (var round = 0; round < 3; round++)
        {
            await Task.Delay(lease / 3 * round, Token); // At another moment between two heartbeats.
            using var stranger = FileTests.Open(path);
            using var transaction = stranger.BeginTransaction(deferred: false);
            await Task.Delay(lease * 2, Token);
        }

        await File.WriteAllTextAsync(mayEnd, "", Token);
        Assert.Equal(1, await handle.WaitAsync(Eventually.Bound, Token));
        Assert.Equal(1, starts);
    }

    [Fact]
    public async Task Files_of_a_worker_are_as_private_as_the_database()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Hang>((_, _) => { }));
        await worker.StartAsync(Token);
        var files = Directory.GetFiles(_folder.Path);

        Assert.Contains(files, file => file.Contains("-worker-", StringComparison.Ordinal));
        Assert.All(files, file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public async Task Workers_that_reach_the_file_by_different_links_know_each_other()
    {
        var path = _folder.File("tasks.db");
        await using (var maker = new SqliteBackend(path))
        {
            await maker.InitializeAsync(Token);
        }

        var links = Directory.CreateDirectory(_folder.File("links")).FullName;
        var link = Path.Combine(links, "linked.db");
        File.CreateSymbolicLink(link, path);
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Hang(), null, Token);
        await using var first = DummyProcess.Start("work", link);
        await first.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");

        Assert.Equal([link], Directory.GetFiles(links));
        await first.KillAsync();
        await using var second = DummyProcess.Start("work", path); // With a lease of an hour: the lock file tells it.
        await second.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that the task goes on");
    }

    [Fact]
    public async Task A_link_that_points_elsewhere_later_changes_nothing_for_a_backend_that_is_open()
    {
        var path = _folder.File("tasks.db");
        var link = _folder.File("link.db");
        File.CreateSymbolicLink(link, path); // To a file that is yet to come.
        await using var backend = new SqliteBackend(link);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), null, Token);
        File.Delete(link);
        File.CreateSymbolicLink(link, _folder.File("other.db"));

        await queue.EnqueueAsync(new Note(2), null, Token);
        await backend.BackupAsync(_folder.File("copy.db"), cancellationToken: Token);

        Assert.False(File.Exists(_folder.File("other.db")));
        Assert.Equal(2L, FileTests.Scalar(_folder.File("copy.db"), "select count(*) from errand_tasks"));
    }
}
