using System.Collections.Concurrent;
using Errand.PowerCut;
using Errand.Sqlite.Engine;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Copies of a database that is in use, and what they are worth.</summary>
public sealed class BackupTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Stores => [":memory:", "tasks.db"];

    private string PathOf(string store) => store == ":memory:" ? store : _folder.File(store);

    private string[] Files() =>
        [.. Directory.GetFiles(_folder.Path).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    private static NewTask Note(int bytes = 20) => new() { Name = "note", Payload = new byte[bytes] };

    private static ValueTask<long> BeginAsync(SqliteBackend backend, TimeSpan? lease = null) => backend.BeginWorkerAsync(
        new WorkerRegistration { Lease = lease ?? TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);

    private static ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(SqliteBackend backend, long owner, int max = 1_000) =>
        backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = max, Wait = TimeSpan.Zero }, Token);

    private static async Task AssertSoundAsync(SqliteBackend backend) => Assert.Empty((await backend.VerifyAsync(Token)).Problems);

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_copy_is_a_database_of_its_own_in_which_every_task_is_as_it_was(string store)
    {
        await using var backend = new SqliteBackend(PathOf(store));
        var owner = await BeginAsync(backend);
        var ids = (await backend.EnqueueAsync([.. Enumerable.Repeat(Note(), 20)], Token)).Select(one => one.Id).ToArray();
        var taken = await TakeAsync(backend, owner, 2);
        await backend.MarkSuccessAsync(taken[0].Lease, "1"u8.ToArray(), Token);
        await backend.MarkFailureAsync(taken[1].Lease, new TaskFailure("no", null), Token);
        await backend.PauseAsync("mail", Token);
        await backend.EndWorkerAsync(owner, release: true, Token);
        var path = _folder.File("copy.db");

        await backend.BackupAsync(path, Token);

        await using var copy = new SqliteBackend(path);
        await AssertSoundAsync(copy);
        Assert.Equal(["mail"], (await copy.GetOverviewAsync(Token)).PausedQueues);
        foreach (var id in ids)
        {
            var (one, other) = ((await backend.FindAsync(id, Token))!, (await copy.FindAsync(id, Token))!);
            Assert.Equal(one.Payload.ToArray(), other.Payload.ToArray());
            Assert.Equal(one.Result.ToArray(), other.Result.ToArray());
            Assert.Equal(one with { Payload = default, Result = default, History = [] }, other with { Payload = default, Result = default, History = [] });
        }

        var worker = await BeginAsync(copy);
        Assert.Equal(ids[2..], (await TakeAsync(copy, worker)).Select(task => task.Lease.Id));
        Assert.Equal(18, (await backend.GetOverviewAsync(Token)).Count(TaskState.Pending));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_copy_keeps_what_marks_and_shapes_an_Errand_database(string store)
    {
        await using var backend = new SqliteBackend(PathOf(store));
        await backend.EnqueueAsync([Note()], Token);
        var path = _folder.File("copy.db");

        await backend.BackupAsync(path, Token);

        Assert.Equal(1L, FileTests.Scalar(path, "select version from errand_meta"));
        Assert.Equal(2L, FileTests.Scalar(path, "pragma auto_vacuum"));
        Assert.Equal("delete", FileTests.Scalar(path, "pragma journal_mode")); // One file, until it is opened as a queue.
        Assert.Equal(4_096L, FileTests.Scalar(path, "pragma page_size"));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task What_ran_waits_in_the_copy_uncharged_at_once_and_with_a_higher_epoch(string store)
    {
        await using var backend = new SqliteBackend(PathOf(store));
        var owner = await BeginAsync(backend, TimeSpan.FromDays(1)); // Nobody would wait for this lease.
        var once = Note() with { Retry = RetryPolicy.None };
        var ids = (await backend.EnqueueAsync([once, once], Token)).Select(one => one.Id).ToArray();
        Assert.Equal(2, (await TakeAsync(backend, owner)).Count);
        await backend.CancelAsync(ids[1], Token);
        var path = _folder.File("copy.db");
        await backend.BackupAsync(path, Token);

        await using var copy = new SqliteBackend(path);
        Assert.Empty(await copy.ListWorkersAsync(Token));
        var worker = await BeginAsync(copy);
        var task = Assert.Single(await TakeAsync(copy, worker));

        Assert.Equal((ids[0], 1, 2L), (task.Lease.Id, task.Attempt, task.Lease.Epoch));
        Assert.Equal(TaskState.Cancelled, (await copy.GetResultAsync(ids[1], TimeSpan.Zero, Token))!.State);
        await AssertSoundAsync(copy);
        Assert.Equal(owner, (await backend.FindAsync(ids[0], Token))!.Worker); // In the original it runs on.
    }

    [Fact]
    public async Task A_copy_gives_no_id_that_its_original_gives_later()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await backend.EnqueueAsync([Note()], Token);
        await backend.BackupAsync(_folder.File("copy.db"), Token);
        await using var copy = new SqliteBackend(_folder.File("copy.db"));

        var later = (await backend.EnqueueAsync([.. Enumerable.Repeat(Note(), 40_000)], Token)).Max(one => one.Id);

        Assert.True(await copy.NewIdAsync(Token) > later);
        Assert.InRange(await copy.NewIdAsync(Token), 1, (1L << 53) - 1);
    }

    [Fact]
    public async Task A_copy_of_a_copy_is_a_database_as_well()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        var id = Assert.Single(await backend.EnqueueAsync([Note()], Token)).Id;
        await backend.BackupAsync(_folder.File("1.db"), Token);
        await using var first = new SqliteBackend(_folder.File("1.db")); // Never opened as a queue: it has no log.
        await first.BackupAsync(_folder.File("2.db"), Token);

        await using var second = new SqliteBackend(_folder.File("2.db"));

        Assert.NotNull(await second.FindAsync(id, Token));
        await AssertSoundAsync(second);
    }

    [Theory]
    [InlineData(":memory:", Durability.Full)]
    [InlineData("tasks.db", Durability.Full)]
    [InlineData("tasks.db", Durability.Relaxed)]
    public async Task Backups_under_load_are_sound_and_hold_all_that_was_acknowledged_before(string store, Durability durability)
    {
        await using var backend = new SqliteBackend(
            PathOf(store), new SqliteBackendOptions { Durability = durability, CheckpointPages = 100 });
        await using var queue = new TaskQueue(backend);
        var handlers = new TaskHandlers().Add<Note, int>(
            (note, context) => note.Number % 5 == 0 && context.Attempt == 1 ? throw new FormatException() : note.Number);
        var workers = Enumerable.Range(0, 3)
            .Select(_ => new TaskWorker(backend, handlers, new TaskWorkerOptions { Concurrency = 8 })).ToArray();
        await Task.WhenAll(workers.Select(worker => worker.StartAsync(Token)));
        var acknowledged = new ConcurrentQueue<long>();
        using var stop = new CancellationTokenSource();
        var retry = new EnqueueOptions { Retry = new RetryPolicy { Delay = TimeSpan.FromMilliseconds(1) } };
        var enqueuers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                acknowledged.Enqueue((await queue.EnqueueAsync(new Note(i), retry, Token)).Id);
            }
        })).ToArray();

        for (var i = 1; i <= 4; i++)
        {
            await Eventually.TrueAsync(() => acknowledged.Count > i * 300, "tasks are enqueued");
            var before = acknowledged.ToArray();
            var path = _folder.File($"copy{i}.db");

            await backend.BackupAsync(path, Token);

            await using var copy = new SqliteBackend(path);
            await AssertSoundAsync(copy);
            foreach (var id in before)
            {
                Assert.NotNull(await copy.FindAsync(id, Token));
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(enqueuers);
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }

        await AssertSoundAsync(backend);
        await using var last = new SqliteBackend(_folder.File("copy4.db"));
        await using var lastWorker = new TaskWorker(last, handlers);
        await lastWorker.StartAsync(Token);
        await Eventually.TrueAsync(
            async () => await last.GetOverviewAsync(Token) is var now
                && now.Count(TaskState.Pending) + now.Count(TaskState.Scheduled) + now.Count(TaskState.Running) == 0,
            "every task of the copy runs to its end");
    }

    [Fact]
    public async Task Nobody_waits_for_a_backup_of_a_file_and_it_holds_what_was_there_when_it_began()
    {
        SqliteBackend backend = null!;
        var during = 0L;
        await using (backend = new SqliteBackend(_folder.File("tasks.db"), new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Backup && during == 0)
                {
                    var enqueue = backend.EnqueueAsync([Note()], Token).AsTask();
                    during = enqueue.WaitAsync(Eventually.Bound).GetAwaiter().GetResult()[0].Id;
                }
            },
        }))
        {
            var before = Assert.Single(await backend.EnqueueAsync([Note()], Token)).Id;
            await backend.BackupAsync(_folder.File("copy.db"), Token);
            await using var copy = new SqliteBackend(_folder.File("copy.db"));

            Assert.NotEqual(0, during);
            Assert.NotNull(await copy.FindAsync(before, Token));
            Assert.Null(await copy.FindAsync(during, Token));
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_backup_that_is_cancelled_leaves_no_file_and_the_backend_works(string store)
    {
        using var cancellation = new CancellationTokenSource();
        var steps = 0;
        await using var backend = new SqliteBackend(PathOf(store), new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Backup && ++steps == 2)
                {
                    cancellation.Cancel();
                }
            },
        });
        await backend.EnqueueAsync([.. Enumerable.Repeat(Note(1_000), 10_000)], Token); // Of more pages than are copied in one step.
        var before = Files();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => backend.BackupAsync(_folder.File("copy.db"), cancellation.Token));

        Assert.Equal(2, steps);
        Assert.Equal(before, Files());
        await backend.BackupAsync(_folder.File("copy.db"), Token);
        await backend.EnqueueAsync([Note()], Token);
    }

    [Fact]
    public async Task A_backup_whose_backend_is_disposed_leaves_no_file()
    {
        SqliteBackend backend = null!;
        await using (backend = new SqliteBackend(_folder.File("tasks.db"), new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Backup)
                {
                    backend.DisposeAsync().AsTask().Wait(Token);
                }
            },
        }))
        {
            await backend.EnqueueAsync([Note()], Token);

            await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.BackupAsync(_folder.File("copy.db"), Token));
            await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.BackupAsync(_folder.File("copy.db"), Token));
        }

        Assert.DoesNotContain(Files(), file => file.StartsWith("copy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_that_has_no_room_leaves_no_file()
    {
        using var held = await CutFileSystem.TakeAsync();
        await using var backend = new SqliteBackend(
            _folder.File("tasks.db"), new SqliteBackendOptions { Vfs = CutFileSystem.Name, TimeProvider = new ManualTimeProvider() });
        await backend.EnqueueAsync([.. Enumerable.Repeat(Note(1_000), 100)], Token);
        var before = Files();
        CutFileSystem.Record(_folder.File("journal"));
        CutFileSystem.Fail(RecordKind.Write, 10, int.MaxValue, 13);

        var full = await Assert.ThrowsAsync<BackendFullException>(() => backend.BackupAsync(_folder.File("copy.db"), Token));

        CutFileSystem.FailNone(RecordKind.Write);
        CutFileSystem.EndRecord(_folder.File("journal"));
        File.Delete(_folder.File("journal"));
        Assert.StartsWith($"The copy '{_folder.File("copy.db")}' of the database '{backend.Path}' has no room", full.Message, StringComparison.Ordinal);
        Assert.Equal(before, Files());
        await backend.EnqueueAsync([Note()], Token);
    }

    [Fact]
    public async Task A_path_at_which_something_is_is_refused_and_left_as_it_was()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await backend.EnqueueAsync([Note()], Token);
        await File.WriteAllTextAsync(_folder.File("letter"), "Dear", Token);
        Directory.CreateDirectory(_folder.File("folder"));

        foreach (var path in (string[])[_folder.File("letter"), _folder.File("folder"), backend.Path])
        {
            var refused = await Assert.ThrowsAsync<BackendException>(() => backend.BackupAsync(path, Token));
            Assert.Contains("there is something already, and it was not changed", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal("Dear", await File.ReadAllTextAsync(_folder.File("letter"), Token));
        Assert.Equal(["letter", "tasks.db", "tasks.db-shm", "tasks.db-wal"], Files());
    }

    [Fact]
    public async Task A_path_that_is_taken_while_it_is_copied_is_left_as_it_is()
    {
        var path = _folder.File("copy.db");
        await using var backend = new SqliteBackend(_folder.File("tasks.db"), new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Backup)
                {
                    File.WriteAllText(path, "first");
                }
            },
        });
        await backend.EnqueueAsync([Note()], Token);

        await Assert.ThrowsAsync<BackendException>(() => backend.BackupAsync(path, Token));

        Assert.Equal("first", await File.ReadAllTextAsync(path, Token));
        Assert.Equal(["copy.db", "tasks.db", "tasks.db-shm", "tasks.db-wal"], Files());
    }

    [Fact]
    public async Task A_path_that_cannot_be_is_refused_with_the_remedy()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await backend.InitializeAsync(Token);

        await Assert.ThrowsAnyAsync<ArgumentException>(() => backend.BackupAsync(" ", Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => backend.BackupAsync(":memory:", Token));
        var missing = await Assert.ThrowsAsync<BackendException>(() => backend.BackupAsync(_folder.File("missing/copy.db"), Token));
        Assert.Contains($"its folder does not exist. Create '{_folder.File("missing")}' first.", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task There_is_no_backup_of_a_file_that_does_not_exist_and_none_is_made()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));

        var missing = await Assert.ThrowsAsync<BackendException>(() => backend.BackupAsync(_folder.File("copy.db"), Token));

        Assert.Contains("does not exist; there is nothing to read.", missing.Message, StringComparison.Ordinal);
        Assert.Empty(Files());
    }

    [Theory]
    [InlineData("file:a.db")]
    [InlineData("a?mode=memory.db")]
    [InlineData("it's 'quoted\" 💥.db")]
    public async Task The_path_of_a_copy_is_taken_as_it_is(string name)
    {
        await using var backend = new SqliteBackend(":memory:");
        await backend.EnqueueAsync([Note()], Token);
        await backend.BackupAsync(_folder.File(name), Token);
        Assert.Equal([name], Files());
    }

    [Fact]
    public async Task A_copy_can_be_read_by_its_owner_alone_from_its_first_byte_on()
    {
        var modes = new ConcurrentBag<UnixFileMode>();
        await using var backend = new SqliteBackend(":memory:", new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Backup)
                {
                    modes.Add(File.GetUnixFileMode(Assert.Single(Directory.GetFiles(_folder.Path))));
                }
            },
        });
        await backend.EnqueueAsync([Note()], Token);

        await backend.BackupAsync(_folder.File("copy.db"), Token);

        modes.Add(File.GetUnixFileMode(_folder.File("copy.db")));
        Assert.True(modes.Count > 1);
        Assert.All(modes, mode => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode));
    }
}
