using Errand.PowerCut;
using Errand.Sqlite.Engine;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Single faults of the disk, each at the moment at which it would do the most harm.</summary>
public sealed class DiskTroubleTests : IAsyncLifetime
{
    // https://www.sqlite.org/rescode.html
    private const int Full = 13;
    private const int FailedWrite = 778;
    private const int FailedSync = 1034;

    private const int UpkeepFailed = 305;

    private readonly TemporaryFolder _folder = new();
    private readonly ManualTimeProvider _clock = new();
    private readonly RecordingLogger<SqliteBackend> _log = new();
    private IDisposable? _held;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => _folder.File("tasks.db");

    public async ValueTask InitializeAsync()
    {
        _held = await CutFileSystem.TakeAsync();
        CutFileSystem.Record(_folder.File("journal"));
    }

    public ValueTask DisposeAsync()
    {
        _held?.Dispose();
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private SqliteBackend Open(
        Durability durability = Durability.Full, TimeProvider? clock = null, int checkpointPages = 4_096,
        Action? atCheckpoint = null) =>
        new(
            Path,
            new SqliteBackendOptions
            {
                Durability = durability,
                TimeProvider = clock ?? _clock,
                Vfs = CutFileSystem.Name,
                CheckpointPages = checkpointPages,
                Reached = point =>
                {
                    if (point == EnginePoint.Checkpoint)
                    {
                        atCheckpoint?.Invoke();
                    }
                },
            },
            _log);

    private static NewTask ATask(int bytes = 10) => new() { Name = "note", Payload = new byte[bytes] };

    private static ValueTask<long> BeginWorkerAsync(SqliteBackend backend, TimeSpan lease) =>
        backend.BeginWorkerAsync(new WorkerRegistration { Lease = lease, TaskNames = ["note"] }, Token);

    [Fact]
    public async Task Who_waits_is_served_although_the_last_thing_that_was_done_was_a_checkpoint_that_failed()
    {
        var isDue = false;
        await using var backend = Open(clock: TimeProvider.System, checkpointPages: 10, atCheckpoint: () =>
        {
            if (Interlocked.Exchange(ref isDue, false))
            {
                CutFileSystem.Fail(RecordKind.Sync, from: 1, to: 1, FailedSync);
            }
        });
        var owner = await BeginWorkerAsync(backend, TimeSpan.FromDays(1));
        await backend.NewIdAsync(Token);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        Volatile.Write(ref isDue, true);

        var task = ATask(3_000) with { Delay = TimeSpan.FromMilliseconds(100) };
        await backend.EnqueueAsync([.. Enumerable.Repeat(task, 20)], Token);

        Assert.Single(await waiting.WaitAsync(Eventually.Bound, Token)); // Although nobody calls any more.
        Assert.True(_log.Has(UpkeepFailed));
    }

    [Fact]
    public async Task While_the_disk_is_full_the_sync_that_is_owed_is_tried_now_and_then_and_not_without_a_pause()
    {
        await using var backend = Open(Durability.Relaxed);
        await backend.EnqueueAsync([ATask()], Token);
        await backend.EnqueueAsync([ATask()], Token);
        CutFileSystem.Fail(RecordKind.Write, from: 1, to: long.MaxValue, Full);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await Eventually.TrueAsync(() => _log.Has(UpkeepFailed), "the sync cannot be carried");

        const int Turns = 200;
        for (var i = 0; i < Turns; i++)
        {
            await backend.GetStorageAsync(Token);
        }

        // In each turn, and once before them: the sync is tried, and a checkpoint to make room.
        Assert.InRange(_log.Entries.Count(entry => entry.Id == UpkeepFailed), 1, 2 * (Turns + 1));
        CutFileSystem.FailNone(RecordKind.Write);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await backend.EnqueueAsync([ATask()], Token);
    }

    /// <summary>
    /// Systems count what they failed to write as written, and do not try again. So when a sync has failed, a later one that succeeds
    /// says nothing of what stood in the log by then.
    /// </summary>
    [Fact]
    public async Task Under_relaxed_a_sync_that_fails_takes_nothing_that_was_acknowledged_before_although_another_has_the_file_open()
    {
        await using var backend = Open(Durability.Relaxed);
        await backend.InitializeAsync(Token);
        await using var other = FileTests.Open(Path); // Else closing the connection would move the log to the database.
        await backend.NewIdAsync(Token);
        var id = (await backend.EnqueueAsync([ATask()], Token))[0].Id;
        using var command = other.CreateCommand();
        command.CommandText = "select count(*) from errand_tasks";
        Assert.Equal(1L, command.ExecuteScalar());

        CutFileSystem.Fail(RecordKind.Sync, from: 1, to: 1, FailedSync);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await backend.GetStorageAsync(Token);
        await backend.GetStorageAsync(Token);

        Assert.True(CutFileSystem.Count(RecordKind.Sync) > 1);
        var (_, disk) = CutPoint.Walk(CutFileSystem.EndRecord(_folder.File("journal"))).Last();
        var folder = Directory.CreateDirectory(_folder.File("cut")).FullName;
        foreach (var (name, bytes) in disk.Cut(Survivors.None, seed: 0))
        {
            await File.WriteAllBytesAsync(System.IO.Path.Combine(folder, name), bytes, Token);
        }

        Assert.Equal([id], Database.IdsIn(Database.Dump(System.IO.Path.Combine(folder, "tasks.db")), "tasks"));
    }

    [Fact]
    public async Task A_settlement_that_came_too_late_says_so_although_its_turn_had_to_be_done_twice()
    {
        await using var backend = Open();
        var lost = await BeginWorkerAsync(backend, TimeSpan.FromSeconds(2));
        await backend.EnqueueAsync([ATask() with { Retry = RetryPolicy.None }], Token);
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = lost, MaxTasks = 1 }, Token);
        var owner = await BeginWorkerAsync(backend, TimeSpan.FromDays(1));
        await LetLeaseRunOutAsync(lost);

        // Both calls come while the writer is busy, so they share a turn; what the second writes cannot be written.
        using var isBusy = new SemaphoreSlim(0);
        using var goOn = new ManualResetEventSlim();
        var waiting = backend.ReserveAsync(
            new ReserveRequest
            {
                Owner = owner,
                MaxTasks = 1,
                FreeSlots = () =>
                {
                    isBusy.Release();
                    goOn.Wait();
                    return 0;
                },
            },
            Token).AsTask();
        Assert.True(await isBusy.WaitAsync(Eventually.Bound, Token));
        CutFileSystem.Fail(RecordKind.Write, from: 1, to: 1, FailedWrite);
        var settled = backend.MarkSuccessAsync(Assert.Single(taken).Lease, default, Token).AsTask();
        var added = backend.EnqueueAsync([ATask()], Token).AsTask();
        goOn.Set();

        Assert.False(await settled);
        Assert.Single(await added);
        Assert.Equal(TaskState.Failed, (await backend.GetResultAsync(taken[0].Lease.Id, TimeSpan.Zero, Token))?.State);
        await backend.EndWorkerAsync(owner, release: true, Token);
        await Assert.ThrowsAsync<WorkerLostException>(() => waiting);
    }

    private async Task LetLeaseRunOutAsync(long owner)
    {
        var clock = new ManualTimeProvider();
        await using var other = Open(clock: clock);
        await BeginWorkerAsync(other, TimeSpan.FromDays(1));
        await Eventually.TrueAsync(
            async () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                await other.GetStorageAsync(Token);
                return Equals(FileTests.Scalar(Path, $"select count(*) from errand_workers where id = {owner}"), 0L);
            },
            "the lease runs out");
    }

    [Theory]
    [InlineData(RecordKind.Sync, FailedSync)]
    [InlineData(RecordKind.Write, FailedWrite)]
    [InlineData(RecordKind.Write, Full)]
    internal async Task A_worker_goes_on_when_the_disk_does_and_each_task_ends_once(RecordKind kind, int code)
    {
        await using var backend = Open(clock: TimeProvider.System, checkpointPages: 20);
        await using var queue = new TaskQueue(backend);
        var handlers = new TaskHandlers().Add<Note, int>((note, _) => note.Number);
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync(Token);
        var ids = new List<long>();
        for (var i = 0; i < 40; i++)
        {
            ids.Add(await queue.NewIdAsync(Token));
        }

        CutFileSystem.Fail(kind, from: 10, to: 16, code);
        foreach (var id in ids)
        {
            await EnqueueAsync(queue, id);
        }

        foreach (var id in ids)
        {
            var result = await queue.GetResultAsync(id, Eventually.Bound, Token);
            Assert.Equal((TaskState.Succeeded, 1), (result!.State, result.Attempts));
        }
    }

    private static async Task EnqueueAsync(TaskQueue queue, long id)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await queue.EnqueueAsync(new Note(1), new EnqueueOptions { Id = id }, Token);
                return;
            }
            catch (BackendException e) when (e.IsTransient && tries < 50)
            {
                // Made again with the same id: the second finds the first.
            }
        }
    }
}
