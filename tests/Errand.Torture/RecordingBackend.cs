using System.Data.Common;
using System.Diagnostics;

namespace Errand.Torture;

/// <summary>
/// Notes what a worker is told of its settlements, and kills its own process at a point that the supervisor has named: just after a
/// reserve, just before or just after a settlement. Where nobody can be stopped, settlements stall on their way.
/// </summary>
internal sealed class RecordingBackend(IBackend inner, History history, Crash? crash = null, Func<TimeSpan>? stall = null) : IBackend
{
    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => inner.InitializeAsync(cancellationToken);

    public ValueTask<long> NewIdAsync(CancellationToken cancellationToken = default) => inner.NewIdAsync(cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default) => inner.EnqueueAsync(tasks, cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        inner.EnqueueInAsync(tasks, transaction, cancellationToken);

    public async ValueTask<long> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        var tried = Stopwatch.GetTimestamp();
        var owner = await inner.BeginWorkerAsync(worker, cancellationToken);
        NoteBeat(tried);
        return owner;
    }

    public async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default)
    {
        var tasks = await inner.ReserveAsync(request, cancellationToken);
        if (tasks.Count > 0)
        {
            crash?.At(CrashPoint.AfterReserve);
        }

        return tasks;
    }

    public ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default) =>
        inner.CancelAsync(id, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        inner.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        inner.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(long id, CancellationToken cancellationToken = default) =>
        inner.ReadCheckpointAsync(id, cancellationToken);

    public bool Heartbeat(long owner)
    {
        var tried = Stopwatch.GetTimestamp();
        var lives = inner.Heartbeat(owner);
        if (lives)
        {
            NoteBeat(tried);
        }

        return lives;
    }

    public ValueTask<int> ReconcileAsync(long owner, IReadOnlySet<long> known, CancellationToken cancellationToken = default) =>
        inner.ReconcileAsync(owner, known, cancellationToken);

    public ValueTask<bool> MarkSuccessAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, CancellationToken cancellationToken = default) =>
        SettleAsync(lease, Settlement.Success, () => inner.MarkSuccessAsync(lease, result, cancellationToken));

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        inner.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        inner.HoldsAsync(lease, cancellationToken);

    public ValueTask<bool> MarkFailureAsync(TaskLease lease, TaskFailure failure, CancellationToken cancellationToken = default) =>
        SettleAsync(
            lease, failure.RetryAfter is null ? Settlement.Failure : Settlement.Retry,
            () => inner.MarkFailureAsync(lease, failure, cancellationToken));

    public ValueTask<bool> MarkCancelledAsync(TaskLease lease, string? reason, CancellationToken cancellationToken = default) =>
        SettleAsync(lease, Settlement.Cancelled, () => inner.MarkCancelledAsync(lease, reason, cancellationToken));

    public ValueTask<bool> SnoozeAsync(TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default) =>
        SettleAsync(lease, Settlement.Snoozed, () => inner.SnoozeAsync(lease, delay, cancellationToken));

    public ValueTask<bool> ReleaseAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        SettleAsync(lease, Settlement.Released, () => inner.ReleaseAsync(lease, cancellationToken));

    public ValueTask EndWorkerAsync(long owner, bool release, CancellationToken cancellationToken = default) =>
        inner.EndWorkerAsync(owner, release, cancellationToken);

    public ValueTask<TaskResult?> GetResultAsync(long id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        inner.GetResultAsync(id, timeout, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private async ValueTask<bool> SettleAsync(TaskLease lease, Settlement how, Func<ValueTask<bool>> settle)
    {
        history.Note(EventKind.Settle, lease.Id, lease.Epoch, (long)how);
        crash?.At(CrashPoint.BeforeSettle);
        if (stall?.Invoke() is { Ticks: > 0 } time)
        {
            await Task.Delay(time, CancellationToken.None);
        }

        var isSettled = await settle();
        crash?.At(CrashPoint.AfterSettle);
        history.Note(isSettled ? EventKind.Settled : EventKind.Fenced, lease.Id, lease.Epoch, (long)how);
        return isSettled;
    }

    private void NoteBeat(long tried) =>
        history.Note(EventKind.Beat, value: (long)Stopwatch.GetElapsedTime(tried).TotalMilliseconds);
}
