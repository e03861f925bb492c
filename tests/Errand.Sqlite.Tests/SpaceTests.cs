using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>How much room tasks take, and what happens when there is none.</summary>
public sealed class SpaceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private string PathOf(string store) => store == ":memory:" ? store : _folder.File(store);

    [Theory]
    [InlineData(":memory:")]
    [InlineData("tasks.db")]
    public async Task A_pending_task_takes_little_more_than_its_payload(string store)
    {
        const int Tasks = 50_000;
        await using var backend = new SqliteBackend(PathOf(store));
        var before = await backend.GetStorageAsync(Token);
        var task = new NewTask { Name = "note", Payload = new byte[200] };

        await backend.EnqueueAsync([.. Enumerable.Repeat(task, Tasks)], Token);

        var after = await backend.GetStorageAsync(Token);
        Assert.InRange((after.UsedBytes - before.UsedBytes) / (double)Tasks, 200, 300);
    }

    [Theory]
    [InlineData(":memory:")]
    [InlineData("tasks.db")]
    public async Task After_200000_tasks_have_finished_and_been_pruned_the_pages_in_use_are_as_before(string store)
    {
        const int Tasks = 200_000;
        var clock = new ManualTimeProvider();
        await using var backend = new SqliteBackend(PathOf(store), new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = TimeSpan.FromHours(1), Durability = Durability.Relaxed,
        });
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = ["note"] }, Token);
        await RunAsync(backend, owner, 1_000); // What is there anyway: names, counters, a thousand finished tasks.
        var before = await backend.GetStorageAsync(Token);

        await RunAsync(backend, owner, Tasks);
        var full = await backend.GetStorageAsync(Token);
        clock.Advance(TimeSpan.FromHours(2));
        await RunAsync(backend, owner, 1_000);

        SqliteStorage after = full;
        await Eventually.TrueAsync(
            async () =>
            {
                clock.Advance(TimeSpan.FromMilliseconds(10)); // Housekeeping is paced.
                after = await backend.GetStorageAsync(Token);
                return after.UsedBytes <= before.UsedBytes * 1.2 && after.DatabaseBytes < full.DatabaseBytes / 2;
            },
            $"pages in use {before.UsedBytes} before, {full.UsedBytes} full, and given back");
        Assert.True(full.UsedBytes > before.UsedBytes * 10, "the tasks took room in between");
    }

    private static async Task RunAsync(SqliteBackend backend, WorkerId owner, int tasks)
    {
        var task = new NewTask { Name = "note", Payload = new byte[100] };
        foreach (var chunk in Enumerable.Repeat(task, tasks).Chunk(2_000))
        {
            await backend.EnqueueAsync(chunk, Token);
            var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = chunk.Length }, Token);
            var settled = await Task.WhenAll(
                taken.Select(one => backend.MarkSuccessAsync(one.Lease, "true"u8.ToArray(), Token).AsTask()));
            Assert.All(settled, Assert.True);
            Assert.Equal(chunk.Length, settled.Length);
        }
    }

    [Fact]
    public async Task The_figures_of_a_file_show_its_log()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueManyAsync(Enumerable.Range(0, 1_000).Select(n => new Note(n)), null, Token);

        var storage = await backend.GetStorageAsync(Token);

        Assert.Equal(4096, storage.PageBytes);
        Assert.Equal(storage.DatabaseBytes - storage.FreeBytes, storage.UsedBytes);
        Assert.Equal(new FileInfo(backend.Path + "-wal").Length, storage.WalBytes);
        Assert.True(storage.WalBytes > 0);
    }

    [Fact]
    public async Task The_log_stays_bounded_under_load()
    {
        await using var backend = new SqliteBackend(
            _folder.File("tasks.db"), new SqliteBackendOptions { Durability = Durability.Relaxed });
        var task = new NewTask { Name = "note", Payload = new byte[1_000] };
        for (var i = 0; i < 200; i++)
        {
            await backend.EnqueueAsync([.. Enumerable.Repeat(task, 500)], Token);
        }

        var storage = await backend.GetStorageAsync(Token);
        Assert.True(storage.UsedBytes > 100_000_000);
        Assert.InRange(storage.WalBytes, 1, 40_000_000);
    }

    [Theory]
    [InlineData(":memory:")]
    [InlineData("tasks.db")]
    public async Task When_the_size_limit_is_reached_enqueue_says_so_and_work_goes_on_when_there_is_room(string store)
    {
        await using var backend = new SqliteBackend(
            PathOf(store), new SqliteBackendOptions { MaxDatabaseBytes = 2 * 1024 * 1024 });
        await FillAndDrainAsync(backend, () => { });
    }

    [Fact]
    public async Task When_the_disk_is_full_enqueue_says_so_and_work_goes_on_when_there_is_room()
    {
        // A disk of 12 MB, half of it taken by somebody else, where the system lets us make one; elsewhere the database's own
        // limit.
        var disk = _folder.File("disk");
        Directory.CreateDirectory(disk);
        var isMounted = Environment.IsPrivilegedProcess && Run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk);
        try
        {
            var ballast = Path.Combine(disk, "ballast");
            await File.WriteAllBytesAsync(ballast, new byte[6 * 1024 * 1024], Token);
            await using var backend = new SqliteBackend(
                Path.Combine(disk, "tasks.db"),
                isMounted ? null : new SqliteBackendOptions { MaxDatabaseBytes = 2 * 1024 * 1024 });
            await FillAndDrainAsync(backend, () => File.Delete(ballast));
        }
        finally
        {
            if (isMounted)
            {
                Assert.True(Run("umount", disk));
            }
        }
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static async Task FillAndDrainAsync(SqliteBackend backend, Action makeRoom)
    {
        var task = new NewTask { Name = "note", Payload = new byte[10_000] };
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        var acknowledged = new List<TaskId>();
        BackendFullException? full = null;
        for (var i = 0; full is null; i++)
        {
            Assert.True(i < 10_000, "the limit was never reached");
            try
            {
                acknowledged.Add((await backend.EnqueueAsync([task], Token))[0].Id);
            }
            catch (BackendFullException e)
            {
                full = e;
            }
        }

        Assert.True(full.IsTransient);
        Assert.Contains("has no room", full.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BackendFullException>(() => backend.EnqueueAsync([task], Token).AsTask());

        makeRoom();
        var done = new List<TaskId>();
        while (done.Count < acknowledged.Count)
        {
            var taken = await RetriedAsync(() => backend.ReserveAsync(
                new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero }, Token).AsTask());
            var one = Assert.Single(taken);
            Assert.True(await RetriedAsync(() => backend.MarkSuccessAsync(one.Lease, default, Token).AsTask()));
            done.Add(one.Lease.Id);
        }

        Assert.Equal(acknowledged, done);
        await backend.EnqueueAsync([task], Token);
    }

    private static async Task<T> RetriedAsync<T>(Func<Task<T>> call)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                return await call();
            }
            catch (BackendFullException) when (i < 100)
            {
                await Task.Delay(10, Token);
            }
        }
    }
}
