using System.Data.Common;

namespace Errand.Testing;

/// <summary>
/// The engine of one test, and what was asked of it: every task that it took, and every time at which one becomes due.
/// </summary>
internal sealed class RecordingBackend(IBackend engine, TimeProvider clock) : IBackend
{
    private readonly Lock _lock = new();
    private readonly List<(long Id, NewTask Task)> _enqueued = []; // Under the lock, as the next.
    private readonly SortedSet<long> _dueTimes = []; // ms UTC. Some may have become idle since: a look in vain harms nothing.

    /// <summary>The tasks that were made, in the order of their enqueueing.</summary>
    internal (long Id, NewTask Task)[] Enqueued
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

    public ValueTask<long> NewIdAsync(CancellationToken cancellationToken = default) => engine.NewIdAsync(cancellationToken);

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

    /// <summary>Memory takes part in no transaction, and says so.</summary>
    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        engine.EnqueueInAsync(tasks, transaction, cancellationToken);

    public ValueTask<long> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        engine.BeginWorkerAsync(worker, cancellationToken);

    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default) => engine.ReserveAsync(request, cancellationToken);

    public ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default) =>
        engine.CancelAsync(id, cancellationToken);

    public bool Heartbeat(long owner) => engine.Heartbeat(owner);

    public ValueTask<int> ReconcileAsync(long owner, IReadOnlySet<long> known, CancellationToken cancellationToken = default) =>
        engine.ReconcileAsync(owner, known, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        engine.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        engine.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(long id, CancellationToken cancellationToken = default) =>
        engine.ReadCheckpointAsync(id, cancellationToken);

    public ValueTask<bool> MarkSuccessAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, CancellationToken cancellationToken = default) =>
        engine.MarkSuccessAsync(lease, result, cancellationToken);

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        engine.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        engine.HoldsAsync(lease, cancellationToken);

    public ValueTask<bool> MarkFailureAsync(TaskLease lease, TaskFailure failure, CancellationToken cancellationToken = default)
    {
        NoteDueIn(failure.RetryAfter);
        return engine.MarkFailureAsync(lease, failure, cancellationToken);
    }

    public ValueTask<bool> MarkCancelledAsync(TaskLease lease, string? reason, CancellationToken cancellationToken = default) =>
        engine.MarkCancelledAsync(lease, reason, cancellationToken);

    public ValueTask<bool> SnoozeAsync(TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default)
    {
        NoteDueIn(delay);
        return engine.SnoozeAsync(lease, delay, cancellationToken);
    }

    public ValueTask<bool> ReleaseAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        engine.ReleaseAsync(lease, cancellationToken);

    public ValueTask EndWorkerAsync(long owner, bool release, CancellationToken cancellationToken = default) =>
        engine.EndWorkerAsync(owner, release, cancellationToken);

    public ValueTask<TaskResult?> GetResultAsync(long id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        engine.GetResultAsync(id, timeout, cancellationToken);

    public ValueTask DisposeAsync() => engine.DisposeAsync();

    private void Note(long id, NewTask task)
    {
        lock (_lock)
        {
            _enqueued.Add((id, task));
        }

        NoteDueIn(task.Delay);
        NoteTime(task.DueAt?.ToUnixTimeMilliseconds());
        NoteTime(task.ExpiresAt?.ToUnixTimeMilliseconds());
    }

    /// <summary>As the engine reckons: whole milliseconds, never before the time.</summary>
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
