using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Several backends on one file, as several processes have them.</summary>
public sealed class StrangersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static ValueTask<WorkerId> BeginAsync(SqliteBackend backend) =>
        backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromHours(1), TaskNames = ["note"] }, Token);

    /// <summary>The worker's clock stands still, so that it never polls: only the datagram can have woken it.</summary>
    [Fact]
    public async Task A_waiting_worker_is_woken_by_a_task_of_another_backend()
    {
        var path = _folder.File("tasks.db");
        await using var worker = new SqliteBackend(path, new SqliteBackendOptions { TimeProvider = new ManualTimeProvider() });
        var owner = await BeginAsync(worker);
        await using var producer = new SqliteBackend(path);
        await using var queue = new TaskQueue(producer);
        for (var i = 0; i < 20; i++)
        {
            var waiting = worker.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
            await worker.InitializeAsync(Token);

            var handle = await queue.EnqueueAsync(new Note(i), null, Token);

            var task = Assert.Single(await waiting.WaitAsync(Eventually.Bound, Token));
            Assert.Equal(handle.Id, task.Lease.Id);
            Assert.True(await worker.MarkSuccessAsync(task.Lease, "1"u8.ToArray(), Token));
            Assert.Equal(1, await handle.WaitAsync(Eventually.Bound, Token));
            await Task.Delay(2, Token); // Two tasks within a millisecond share a datagram.
        }
    }

    [Fact]
    public async Task A_task_is_never_missing_while_another_backend_ends_it()
    {
        var path = _folder.File("tasks.db");
        await using var ender = new SqliteBackend(path, new SqliteBackendOptions { Durability = Durability.Relaxed });
        await using var watcher = new SqliteBackend(path, new SqliteBackendOptions { Durability = Durability.Relaxed });
        var owner = await BeginAsync(ender);
        var task = new NewTask { Name = "note", Payload = default };
        for (var round = 0; round < 50; round++)
        {
            var added = await ender.EnqueueAsync([.. Enumerable.Repeat(task, 20)], Token);
            var taken = await ender.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 20 }, Token);
            var ending = Task.Run(async () =>
            {
                foreach (var one in taken)
                {
                    Assert.True(await ender.MarkSuccessAsync(one.Lease, default, Token));
                }
            });
            foreach (var one in added)
            {
                await Eventually.TrueAsync(
                    async () => await watcher.GetResultAsync(one.Id, TimeSpan.Zero, Token) is not null
                        || await watcher.GetResultAsync(one.Id, TimeSpan.Zero, Token) is not null,
                    "the task has ended");
            }

            await ending;
        }
    }

    [Fact]
    public async Task A_wake_up_is_a_hint_and_without_it_polling_drains_everything()
    {
        var path = _folder.File("tasks.db");
        await using var worker = new SqliteBackend(path);
        await using var tasks = new TaskWorker(worker, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await tasks.StartAsync(Token);
        foreach (var socket in Directory.GetFiles(_folder.Path, "*.wake"))
        {
            File.Delete(socket);
        }

        await using var producer = new SqliteBackend(path);
        await using var queue = new TaskQueue(producer);
        var handles = await queue.EnqueueManyAsync(Enumerable.Range(0, 500).Select(n => new Note(n)), null, Token);

        foreach (var handle in handles)
        {
            await handle.WaitAsync(Eventually.Bound, Token);
        }
    }

    [Fact]
    public async Task A_path_too_long_for_a_socket_works_without()
    {
        var folder = Directory.CreateDirectory(_folder.File(new string('x', 120)));
        var path = Path.Combine(folder.FullName, "tasks.db");
        await using var worker = new SqliteBackend(path);
        await using var tasks = new TaskWorker(worker, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await tasks.StartAsync(Token);
        Assert.Empty(Directory.GetFiles(folder.FullName, "*.wake"));
        await using var producer = new SqliteBackend(path);
        await using var queue = new TaskQueue(producer);

        Assert.Equal(5, await (await queue.EnqueueAsync(new Note(5), null, Token)).WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task Four_backends_on_one_file_run_each_task_exactly_once()
    {
        const int Tasks = 2_000;
        var path = _folder.File("tasks.db");
        var runs = new int[Tasks];
        var handlers = new TaskHandlers().Add<Note, int>((note, _) => Interlocked.Increment(ref runs[note.Number]));
        var backends = Enumerable.Range(0, 4).Select(_ => new SqliteBackend(path)).ToArray();
        var workers = backends.Select(backend => new TaskWorker(backend, handlers)).ToArray();
        await Task.WhenAll(workers.Select(worker => worker.StartAsync(Token)));
        var handles = await Task.WhenAll(Enumerable.Range(0, Tasks).Select(
            n => new TaskQueue(backends[n % 4]).EnqueueAsync(new Note(n), null, Token)));

        await Task.WhenAll(handles.Select(handle => handle.WaitAsync(TimeSpan.FromMinutes(1), Token)));

        Assert.All(runs, count => Assert.Equal(1, count));
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }

        foreach (var backend in backends)
        {
            await backend.DisposeAsync();
        }

        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }
}
