using System.Text;
using Errand.Sqlite;
using Errand.Sqlite.Engine;
using Errand.TestKit;

namespace Errand.PowerCut;

/// <summary>
/// The life of one small file, one step after the other, each of them one transaction. What the caller is told stands in the
/// journal between the operations of the disk: when each step was asked for and acknowledged, which ids were given, what time it
/// was. The same each time it runs.
/// </summary>
internal sealed class Script : IAsyncDisposable
{
    /// <summary>How long after the last acknowledgment nothing may be lost whatever the durability.</summary>
    internal static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    /// <summary>Longer than all its steps take on its clock.</summary>
    internal static readonly TimeSpan Length = TimeSpan.FromHours(3);

    private const string Name = "note";

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Retention = TimeSpan.FromHours(1);

    private readonly string _path;
    private readonly Durability _durability;
    private readonly ManualTimeProvider _clock = new();
    private readonly ManualResetEventSlim _told = new(); // Whether the step that the writer has carried out is marked.
    private readonly List<string> _states = [""];
    private SqliteBackend _backend;

    internal Script(string path, Durability durability)
    {
        _path = path;
        _durability = durability;
        _backend = Open();
    }

    /// <summary>What the database holds before the first step, after the first step, and so on.</summary>
    internal IReadOnlyList<string> States => _states;

    internal async Task RunAsync()
    {
        MarkTime();
        await StepAsync(() => _backend.InitializeAsync().AsTask());
        var ada = await NewIdAsync();
        await EnqueueAsync(ATask() with { Id = ada });
        await EnqueueAsync(ATask());
        var owner = await BeginWorkerAsync();
        var taken = await ReserveAsync(owner, 2);
        await EnqueueAsync(ATask(), ATask(), ATask());
        await StepAsync(async () => True(await _backend.MarkSuccessAsync(taken[0].Lease, "true"u8.ToArray())));
        await StepAsync(async () =>
            True(await _backend.MarkFailureAsync(taken[1].Lease, "no", TimeSpan.FromMinutes(1))));
        await PassAsync(Tick * 3);
        await EnqueueAsync(ATask() with { Delay = TimeSpan.FromMinutes(10) });
        taken = await ReserveAsync(owner, 3);
        await PassAsync(Tick * 3);
        await StepAsync(async () => True(await _backend.MarkFailureAsync(taken[0].Lease, "never", null)));
        await StepAsync(async () => True(await _backend.ReleaseAsync(taken[1].Lease)));
        await PassAsync(Tick * 12);
        await StepAsync(() => Task.FromResult(_backend.Heartbeat(owner)));
        await EnqueueAsync([.. Enumerable.Repeat(ATask(bytes: 3_000), 8)]);
        await StepAsync(async () => True(await _backend.MarkSuccessAsync(taken[2].Lease, new byte[6_000])));
        await StepAsync(() => _backend.EndWorkerAsync(owner, release: true).AsTask());
        await PassAsync(Tick * 5);

        await _backend.DisposeAsync();
        _backend = Open();
        owner = await BeginWorkerAsync();
        await NewIdAsync();
        taken = await ReserveAsync(owner, 20);
        await PassAsync(Tick * 4);
        foreach (var task in taken.Skip(2))
        {
            await StepAsync(async () => True(await _backend.MarkSuccessAsync(task.Lease, "7"u8.ToArray())));
            await PassAsync(Tick);
        }

        await HandOffAsync(owner);
        await PassAsync(Tick * 11); // Nothing is owed to the disk when the clock leaps.
        await StepAsync(() => PassAtOnceAsync(Retention * 2)); // The finished are removed.
        await EnqueueAsync(ATask(), ATask());
        await ReserveAsync(owner, 1);
        await PassAsync(Tick * 11);
        await EnqueueAsync(ATask());
    }

    public async ValueTask DisposeAsync()
    {
        await _backend.DisposeAsync();
        _told.Dispose();
    }

    private static NewTask ATask(int bytes = 16) => new()
    {
        Name = Name, Payload = Encoding.UTF8.GetBytes("{\"Number\":1}".PadRight(bytes)),
    };

    private static void True(bool isSettled)
    {
        if (!isSettled)
        {
            throw new InvalidOperationException("The script lost a lease that nobody could take.");
        }
    }

    private SqliteBackend Open() => new(_path, new SqliteBackendOptions
    {
        Durability = _durability,
        TimeProvider = _clock,
        Retention = Retention,
        Random = new Random(_states.Count),
        Vfs = CutFileSystem.Name,
        CheckpointPages = 30,
        Reached = point =>
        {
            if (point == EnginePoint.Checkpoint)
            {
                _told.Wait(); // Else it would be left to chance which of the checkpoint's writes come before the mark.
            }
        },
    });

    private async Task<TaskId> NewIdAsync()
    {
        TaskId id = default;
        await StepAsync(async () => Given(id = await _backend.NewIdAsync()));
        return id;
    }

    private Task EnqueueAsync(params NewTask[] tasks) => StepAsync(async () =>
    {
        foreach (var task in await _backend.EnqueueAsync(tasks))
        {
            Given(task.Id);
        }
    });

    private async Task<WorkerId> BeginWorkerAsync()
    {
        WorkerId owner = default;
        var worker = new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = [Name] };
        await StepAsync(async () => owner = await _backend.BeginWorkerAsync(worker));
        return owner;
    }

    private async Task<IReadOnlyList<ReservedTask>> ReserveAsync(WorkerId owner, int tasks)
    {
        IReadOnlyList<ReservedTask> taken = [];
        var request = new ReserveRequest { Owner = owner, MaxTasks = tasks, Wait = TimeSpan.Zero };
        await StepAsync(async () => taken = await _backend.ReserveAsync(request));
        return taken;
    }

    /// <summary>While nothing is ready, waits for more: what comes next is inserted already started.</summary>
    private async Task HandOffAsync(WorkerId owner)
    {
        var waiting = _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }).AsTask();
        await SettleDownAsync();
        await StepAsync(async () =>
        {
            Given((await _backend.EnqueueAsync([ATask()]))[0].Id);
            await waiting;
        });
    }

    private async Task StepAsync(Func<Task> step)
    {
        CutFileSystem.Mark(RecordKind.Asked, _states.Count);
        _told.Reset();
        await step();
        CutFileSystem.Mark(RecordKind.Acknowledged, _states.Count);
        _told.Set();
        await SettleDownAsync();
        _states.Add(Database.Dump(_path));
    }

    /// <summary>A turn of the writer and all that follows it is over when a call has been answered in the next.</summary>
    private async Task SettleDownAsync()
    {
        await _backend.GetStorageAsync();
        await _backend.GetStorageAsync();
    }

    private async Task PassAsync(TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += Tick)
        {
            await PassAtOnceAsync(Tick);
        }
    }

    private async Task PassAtOnceAsync(TimeSpan time)
    {
        _clock.Advance(time);
        MarkTime();
        await SettleDownAsync();
    }

    private void MarkTime() => CutFileSystem.Mark(RecordKind.Clock, _clock.GetUtcNow().ToUnixTimeMilliseconds());

    private static void Given(TaskId id) => CutFileSystem.Mark(RecordKind.Id, id.Value);
}
