using System.Data.Common;
using System.Diagnostics;

namespace Errand.Torture;

/// <summary>
/// Records how a worker's settlements are answered, and kills its own process at a point that the supervisor has named: just after a
/// reserve, just before or just after a settlement. Where no process can be stopped, settlements stall on their way.
/// </summary>
internal sealed class RecordingBackend(IBackend inner, History history, Crash? crash = null, Func<TimeSpan>? stall = null) : IBackend
{
    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => inner.InitializeAsync(cancellationToken);

    public ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) => inner.NewIdAsync(cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default) => inner.EnqueueAsync(tasks, cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        inner.EnqueueInAsync(tasks, transaction, cancellationToken);

    public async ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default)
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

    public ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        inner.CancelAsync(id, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        inner.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        inner.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        inner.ReadCheckpointAsync(id, cancellationToken);

    public bool Heartbeat(WorkerId owner)
    {
        var tried = Stopwatch.GetTimestamp();
        var lives = inner.Heartbeat(owner);
        if (lives)
        {
            NoteBeat(tried);
        }

        return lives;
    }

    public ValueTask<int> ReconcileAsync(
        WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default) =>
        inner.ReconcileAsync(owner, known, cancellationToken);

    public async ValueTask<bool> SettleAsync(
        TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default)
    {
        var outcome = (long)OutcomeOf(settlement);
        history.Note(EventKind.Settle, lease.Id.Value, lease.Epoch, outcome);
        crash?.At(CrashPoint.BeforeSettle);
        if (stall?.Invoke() is { Ticks: > 0 } time)
        {
            await Task.Delay(time, CancellationToken.None);
        }

        var isSettled = await inner.SettleAsync(lease, settlement, cancellationToken);
        crash?.At(CrashPoint.AfterSettle);
        history.Note(isSettled ? EventKind.Settled : EventKind.Fenced, lease.Id.Value, lease.Epoch, outcome);
        return isSettled;
    }

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        inner.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        inner.HoldsAsync(lease, cancellationToken);

    public ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        inner.EndWorkerAsync(owner, release, cancellationToken);

    public ValueTask<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        inner.GetResultAsync(id, timeout, cancellationToken);

    public T? Control<T>()
        where T : class => inner.Control<T>();

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private static Outcome OutcomeOf(Settlement settlement) => settlement switch
    {
        Settlement.Succeeded => Outcome.Success,
        Settlement.Failed => Outcome.Failure,
        Settlement.Retried => Outcome.Retry,
        Settlement.Cancelled => Outcome.Cancelled,
        Settlement.Snoozed => Outcome.Snoozed,
        _ => Outcome.Released,
    };

    private void NoteBeat(long tried) =>
        history.Note(EventKind.Beat, value: (long)Stopwatch.GetElapsedTime(tried).TotalMilliseconds);
}
