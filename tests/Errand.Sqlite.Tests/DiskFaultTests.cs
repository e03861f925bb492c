using Errand.PowerCut;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>
/// A disk that fails at one operation, or has no room for a while, under a backend that goes on. Calls that fail are made again, as
/// callers do; what each answered must be true in the end.
/// </summary>
public sealed class DiskFaultTests : IDisposable
{
    // https://www.sqlite.org/rescode.html
    private const int Full = 13;
    private const int FailedWrite = 778;
    private const int FailedSync = 1034;
    private const int FailedTruncate = 1546;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Durability.Full, RecordKind.Write, FailedWrite, 1)]
    [InlineData(Durability.Full, RecordKind.Write, FailedWrite, 2)]
    [InlineData(Durability.Full, RecordKind.Sync, FailedSync, 1)]
    [InlineData(Durability.Full, RecordKind.Sync, FailedSync, 2)]
    [InlineData(Durability.Full, RecordKind.Sync, FailedSync, 4)]
    [InlineData(Durability.Full, RecordKind.Truncate, FailedTruncate, 1)]
    [InlineData(Durability.Full, RecordKind.Write, Full, int.MaxValue)]
    [InlineData(Durability.Relaxed, RecordKind.Write, FailedWrite, 1)]
    [InlineData(Durability.Relaxed, RecordKind.Sync, FailedSync, 1)]
    [InlineData(Durability.Relaxed, RecordKind.Sync, FailedSync, 2)]
    [InlineData(Durability.Relaxed, RecordKind.Write, Full, int.MaxValue)]
    internal async Task Whichever_operation_of_the_disk_fails_each_call_ends_and_its_answer_is_true(
        Durability durability, RecordKind kind, int code, int times)
    {
        using var held = await CutFileSystem.TakeAsync();
        var (runs, failed) = (0, 0);
        for (var n = 1L; ; n++)
        {
            await using var run = new FaultyRun(
                _folder.File($"{n}.db"), durability,
                code == Full ? typeof(BackendFullException) : typeof(BackendException),
                () => CutFileSystem.FailNone(kind));
            CutFileSystem.Record(_folder.File("journal"));
            CutFileSystem.Fail(kind, n, n + times - 1L, code);
            try
            {
                await run.RunAsync();
                var wasReached = run.FailuresMade > 0 || CutFileSystem.Count(kind) >= n;
                await run.EndAsync(CutFileSystem.EndRecord(_folder.File("journal")));
                if (!wasReached)
                {
                    break;
                }
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{kind} {n}: {e.Message}", e);
            }

            runs++;
            failed += run.FailuresMade;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{runs} runs, {failed} calls failed");
        Assert.True(runs > 0 || kind == RecordKind.Truncate);
    }

    /// <summary>A little of everything, with each call made again until it is answered.</summary>
    private sealed class FaultyRun(string path, Durability durability, Type error, Action mend) : IAsyncDisposable
    {
        private readonly Dictionary<TaskId, (TaskState State, int Attempts)> _expected = [];
        private readonly SqliteBackend _backend = new(path, new SqliteBackendOptions
        {
            Durability = durability,
            TimeProvider = new ManualTimeProvider(),
            Random = new Random(1),
            Vfs = CutFileSystem.Name,
            CheckpointPages = 12,
        });

        private WorkerId _owner;

        /// <summary>Calls that ended in an error.</summary>
        internal int FailuresMade { get; private set; }

        internal async Task RunAsync()
        {
            await AddAsync(2);
            _owner = await CallAsync(() => _backend.BeginWorkerAsync(
                new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = ["note"] }, Token).AsTask());
            var taken = await ReserveAsync(2);
            await SettleAsync(taken[0].Lease, TaskState.Succeeded);
            await SettleAsync(taken[1].Lease, TaskState.Failed);

            await AddAsync(3);
            taken = await ReserveAsync(3);
            await SettleAsync(taken[0].Lease, TaskState.Succeeded);
            await SettleAsync(taken[1].Lease, TaskState.Pending);
            await RetryAsync(taken[2].Lease);

            taken = await ReserveAsync(2);
            Assert.Equal([1, 2], taken.Select(task => task.Attempt).Order());
            foreach (var task in taken)
            {
                await SettleAsync(task.Lease, TaskState.Succeeded, task.Attempt);
            }

            await HandOffAsync();
            Assert.True(await CallAsync(() => Task.Run(() => _backend.Heartbeat(_owner))));
        }

        /// <summary>Nothing fails any more: what was answered is there, now, after a power cut, and for any other program.</summary>
        internal async Task EndAsync(List<JournalRecord> journal)
        {
            foreach (var (id, (state, attempts)) in _expected)
            {
                var result = await _backend.GetResultAsync(id, TimeSpan.Zero, Token);
                Assert.Equal((state, attempts), (result!.State, result.Attempts));
            }

            if (durability == Durability.Full)
            {
                CheckFinished(LayOut(journal));
            }

            await CallAsync(async () =>
            {
                await _backend.EndWorkerAsync(_owner, release: true, Token);
                return true;
            });
            await _backend.DisposeAsync();
            CheckFinished(path);
            Assert.Equal("wal", FileTests.Scalar(path, "pragma journal_mode"));
            await using var next = new SqliteBackend(path);
            Assert.True(await next.NewIdAsync(Token) > _expected.Keys.Max(), "an id is given twice");
        }

        public ValueTask DisposeAsync() => _backend.DisposeAsync();

        private string LayOut(List<JournalRecord> journal)
        {
            var folder = Directory.CreateDirectory(path + "-cut").FullName;
            foreach (var (name, bytes) in CutPoint.Walk(journal).Last().Disk.Cut(Survivors.None, seed: 0))
            {
                File.WriteAllBytes(Path.Combine(folder, name), bytes);
            }

            return Path.Combine(folder, Path.GetFileName(path));
        }

        private void CheckFinished(string file)
        {
            var (integrity, dump) = Database.Examine(file);
            Assert.Equal("ok", integrity);
            Assert.Empty(Database.IdsIn(dump, "tasks"));
            Assert.Equal(_expected.Keys.Order().Select(id => id.Value), Database.IdsIn(dump, "finished"));
        }

        private async Task<T> CallAsync<T>(Func<Task<T>> call)
        {
            for (var tries = 1; ; tries++)
            {
                try
                {
                    return await call().WaitAsync(Eventually.Bound, Token);
                }
                catch (BackendException e)
                {
                    Assert.True(tries < 10, "it fails for ever");
                    NoteFailure(e);
                }
            }
        }

        private void NoteFailure(BackendException failure)
        {
            Assert.IsAssignableFrom(error, failure);
            Assert.True(failure.IsTransient, failure.Message);
            if (++FailuresMade >= 2)
            {
                mend(); // A disk without room is given some.
            }
        }

        private async Task AddAsync(int tasks)
        {
            List<NewTask> added = [];
            for (var i = 0; i < tasks; i++)
            {
                var id = await CallAsync(() => _backend.NewIdAsync(Token).AsTask());
                added.Add(new NewTask { Id = id, Name = "note", Payload = new byte[2_000] });
            }

            var answers = await CallAsync(() => _backend.EnqueueAsync(added, Token).AsTask());
            Assert.Equal(added.Select(task => task.Id!.Value), answers.Select(answer => answer.Id));
        }

        private async Task<List<ReservedTask>> ReserveAsync(int tasks)
        {
            List<ReservedTask> taken = [];
            while (taken.Count < tasks)
            {
                var request = new ReserveRequest { Owner = _owner, MaxTasks = tasks - taken.Count };
                taken.AddRange(await ReceiveAsync(() => _backend.ReserveAsync(request, Token).AsTask(), taken));
            }

            return taken;
        }

        /// <summary>As a worker does: when a reserve fails, what the owner owns without knowing of it is given back.</summary>
        private async Task<IReadOnlyList<ReservedTask>> ReceiveAsync(
            Func<Task<IReadOnlyList<ReservedTask>>> reserve, List<ReservedTask> known)
        {
            while (true)
            {
                try
                {
                    return await reserve().WaitAsync(Eventually.Bound, Token);
                }
                catch (BackendException e)
                {
                    NoteFailure(e);
                    var ids = known.Select(task => task.Lease.Id).ToHashSet();
                    await CallAsync(() => _backend.ReconcileAsync(_owner, ids, Token).AsTask());
                }
            }
        }

        private async Task SettleAsync(TaskLease lease, TaskState state, int attempts = 1)
        {
            var before = FailuresMade;
            var settled = await CallAsync(() => state switch
            {
                TaskState.Succeeded => _backend.MarkSuccessAsync(lease, "true"u8.ToArray(), Token).AsTask(),
                TaskState.Failed => _backend.MarkFailureAsync(lease, "no", null, Token).AsTask(),
                _ => _backend.ReleaseAsync(lease, Token).AsTask(),
            });
            Assert.True(settled || FailuresMade > before, "a lease was lost that nobody could take");
            _expected[lease.Id] = (state, attempts);
        }

        private async Task RetryAsync(TaskLease lease)
        {
            var before = FailuresMade;
            var settled = await CallAsync(() => _backend.MarkFailureAsync(lease, "no", TimeSpan.Zero, Token).AsTask());
            Assert.True(settled || FailuresMade > before, "a lease was lost that nobody could take");
        }

        /// <summary>A task that comes while somebody waits for it is inserted already started.</summary>
        private async Task HandOffAsync()
        {
            var request = new ReserveRequest { Owner = _owner, MaxTasks = 1 };
            var waiting = _backend.ReserveAsync(request, Token).AsTask();
            await AddAsync(1);
            var taken = await ReceiveAsync(
                () => Interlocked.Exchange(ref waiting, null!) ?? _backend.ReserveAsync(request, Token).AsTask(), []);
            await SettleAsync(Assert.Single(taken).Lease, TaskState.Succeeded);
        }
    }
}
