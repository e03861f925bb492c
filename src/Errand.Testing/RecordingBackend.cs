using System.Data.Common;
using Errand.Sqlite;

namespace Errand.Testing;

/// <summary>The engine of one test, with a record of every task that it took and every time at which one becomes due.</summary>
internal sealed class RecordingBackend(SqliteBackend engine, TimeProvider clock) : IBackend
{
    /// <summary>Of tasks that are run alone: they are no part of what the code under test has enqueued.</summary>
    internal const string RunQueue = "errand-test-run";

    private readonly Lock _lock = new();
    private readonly List<(TaskId Id, NewTask Task)> _enqueued = []; // Under the lock, as the next.
    private readonly SortedSet<long> _dueTimes = []; // ms UTC. Some may be obsolete: looking once too often harms nothing.
    private readonly UncommittedTasks _uncommitted = new();
    private RecordingInspector? _inspector;

    /// <summary>A store that is gone when the test is.</summary>
    internal static RecordingBackend InMemory(TimeProvider clock) => new(
        new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock, Retention = TimeSpan.FromDays(3650) }), clock);

    internal IQueueInspector Inspector => _inspector ??= new RecordingInspector(engine, _uncommitted.LookAsync);

    /// <summary>The created tasks, in the order of enqueueing.</summary>
    internal (TaskId Id, NewTask Task)[] Enqueued
    {
        get
        {
            _uncommitted.LookAsync().AsTask().GetAwaiter().GetResult();
            lock (_lock)
            {
                return [.. _enqueued];
            }
        }
    }

    /// <summary>
    /// The first time after one moment and until another at which a task may become due or expire; null for none.
    /// </summary>
    internal DateTimeOffset? NextTime(DateTimeOffset after, DateTimeOffset until)
    {
        lock (_lock)
        {
            _dueTimes.RemoveWhere(due => due <= after.ToUnixTimeMilliseconds());
            return _dueTimes.Count > 0 && DateTimeOffset.FromUnixTimeMilliseconds(_dueTimes.Min) is var next && next <= until
                ? next
                : null;
        }
    }

    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => engine.InitializeAsync(cancellationToken);

    public ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) => engine.NewIdAsync(cancellationToken);

    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        var enqueued = await engine.EnqueueAsync(tasks, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < enqueued.Count; i++)
        {
            if (enqueued[i].IsNew)
            {
                Note(enqueued[i].Id, tasks[i]);
            }
        }

        return enqueued;
    }

    /// <summary>The transaction is on another database: what it enqueues waits here for its commit.</summary>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        List<EnqueuedTask> enqueued = [];
        List<NewTask> held = [];
        foreach (var task in tasks)
        {
            var known = await FindKnownAsync(task, held, cancellationToken).ConfigureAwait(false);
            var id = known ?? task.Id ?? await engine.NewIdAsync(cancellationToken).ConfigureAwait(false);
            enqueued.Add(new EnqueuedTask { Id = id, IsNew = known is null });
            if (known is null)
            {
                held.Add(Held(task, id));
            }
        }

        await _uncommitted.HoldAsync(
            transaction, [.. held.Select(task => ((NewTask?)task, (Func<ValueTask>)(() => EnqueueHeldAsync(task))))], cancellationToken)
            .ConfigureAwait(false);
        return enqueued;
    }

    private async ValueTask<TaskId?> FindKnownAsync(NewTask task, List<NewTask> held, CancellationToken cancellationToken)
    {
        if (held.Find(one => task.UniqueKey is not null && one.UniqueKey == task.UniqueKey && one.Name == task.Name) is { } same)
        {
            return same.Id;
        }

        if (await _uncommitted.FindAsync(task, cancellationToken).ConfigureAwait(false) is { } other)
        {
            return other.Id;
        }

        if (task.Id is { } id && await engine.FindAsync(id, cancellationToken).ConfigureAwait(false) is not null)
        {
            return id;
        }

        foreach (var (one, enqueued) in task.UniqueKey is null ? [] : Enqueued.Reverse())
        {
            if (enqueued.UniqueKey == task.UniqueKey && enqueued.Name == task.Name
                && await engine.FindAsync(one, cancellationToken).ConfigureAwait(false) is { } now
                && (now.State is not (TaskState.Succeeded or TaskState.Failed or TaskState.Cancelled or TaskState.Expired) || now.EnqueuedAt + enqueued.UniqueFor > clock.GetUtcNow()))
            {
                return one;
            }
        }

        return null;
    }

    /// <summary>Its delay begins now, and its payload is the caller's only until the call returns.</summary>
    private NewTask Held(NewTask task, TaskId id) => task with
    {
        Id = id,
        DueAt = task.Delay is { } delay ? clock.GetUtcNow() + delay : task.DueAt,
        Delay = null,
        Payload = task.Payload.ToArray(),
        OwnPayload = null,
    };

    private async ValueTask EnqueueHeldAsync(NewTask task)
    {
        var enqueued = await engine.EnqueueAsync([task], CancellationToken.None).ConfigureAwait(false);
        if (enqueued[0].IsNew)
        {
            Note(enqueued[0].Id, task);
        }
    }

    public ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        engine.BeginWorkerAsync(worker, cancellationToken);

    public async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        return await engine.ReserveAsync(request, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        return await engine.CancelAsync(id, cancellationToken).ConfigureAwait(false);
    }

    public bool Heartbeat(WorkerId owner) => engine.Heartbeat(owner);

    public ValueTask<int> ReconcileAsync(
        WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default) =>
        engine.ReconcileAsync(owner, known, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        engine.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        engine.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        engine.ReadCheckpointAsync(id, cancellationToken);

    public ValueTask<bool> SettleAsync(TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default)
    {
        NoteDueIn(settlement switch
        {
            Settlement.Retried retried => retried.After,
            Settlement.Snoozed snoozed => snoozed.Delay,
            _ => null,
        });
        return engine.SettleAsync(lease, settlement, cancellationToken);
    }

    public async ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        if (!await HoldsAsync(lease, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        var settlement = new Settlement.Succeeded { Result = result.ToArray() };
        await _uncommitted.HoldAsync(
            transaction, [(null, async () => await engine.SettleAsync(lease, settlement, CancellationToken.None).ConfigureAwait(false))],
            cancellationToken).ConfigureAwait(false);
        return true;
    }

    public async ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        return await engine.HoldsAsync(lease, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        engine.EndWorkerAsync(owner, release, cancellationToken);

    public async ValueTask<TaskResult?> GetResultAsync(
        TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        await _uncommitted.LookAsync().ConfigureAwait(false);
        return await engine.GetResultAsync(id, timeout, cancellationToken).ConfigureAwait(false);
    }

    public T? Control<T>()
        where T : class => typeof(T) == typeof(IQueueInspector) ? (T)Inspector : ((IBackend)engine).Control<T>();

    public async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync().ConfigureAwait(false);
        _uncommitted.Dispose();
    }

    private void Note(TaskId id, NewTask task)
    {
        if (task.Queue == RunQueue)
        {
            return;
        }

        lock (_lock)
        {
            _enqueued.Add((id, task));
        }

        NoteDueIn(task.Delay);
        NoteTime(task.DueAt?.ToUnixTimeMilliseconds());
        NoteTime(task.ExpiresAt?.ToUnixTimeMilliseconds());
    }

    /// <summary>Rounds as the engine does: to whole milliseconds, never before the time.</summary>
    private void NoteDueIn(TimeSpan? delay) => NoteTime(
        delay is { } wait ? clock.GetUtcNow().ToUnixTimeMilliseconds() + (long)Math.Ceiling(wait.TotalMilliseconds) : null);

    private void NoteTime(long? time)
    {
        if (time is { } due)
        {
            lock (_lock)
            {
                _dueTimes.Add(due);
            }
        }
    }
}
