using System.Data.Common;

namespace Errand.Testing;

/// <summary>The engine of one test, with a record of every task that it took and every time at which one becomes due.</summary>
internal sealed class RecordingBackend(IBackend engine, TimeProvider clock) : IBackend
{
    private readonly Lock _lock = new();
    private readonly List<(TaskId Id, NewTask Task)> _enqueued = []; // Under the lock, as the next.
    private readonly SortedSet<long> _dueTimes = []; // ms UTC. Some may be obsolete: looking once too often harms nothing.

    /// <summary>The created tasks, in the order of enqueueing.</summary>
    internal (TaskId Id, NewTask Task)[] Enqueued
    {
        get
        {
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

    /// <summary>The engine is in memory, and refuses.</summary>
    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        engine.EnqueueInAsync(tasks, transaction, cancellationToken);

    public ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        engine.BeginWorkerAsync(worker, cancellationToken);

    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default) => engine.ReserveAsync(request, cancellationToken);

    public ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        engine.CancelAsync(id, cancellationToken);

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

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        engine.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        engine.HoldsAsync(lease, cancellationToken);

    public ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        engine.EndWorkerAsync(owner, release, cancellationToken);

    public ValueTask<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        engine.GetResultAsync(id, timeout, cancellationToken);

    public T? Control<T>()
        where T : class => engine.Control<T>();

    public ValueTask DisposeAsync() => engine.DisposeAsync();

    private void Note(TaskId id, NewTask task)
    {
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
