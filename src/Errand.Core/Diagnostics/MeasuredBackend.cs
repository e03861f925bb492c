using System.Data.Common;
using System.Runtime.CompilerServices;

namespace Errand.Diagnostics;

/// <summary>Counts and times the calls to a backend. While nobody listens, each call is passed on as it is.</summary>
internal sealed class MeasuredBackend : IBackend
{
    /// <summary>One for each backend, so that its queues and workers measure the age of its oldest task once.</summary>
    private static readonly ConditionalWeakTable<IBackend, MeasuredBackend> Known = [];

    private readonly IBackend _backend;

    private MeasuredBackend(IBackend backend)
    {
        _backend = backend;
        OldestAge = new OldestAgeProbe(backend);
    }

    internal static MeasuredBackend Over(IBackend backend) =>
        backend as MeasuredBackend ?? Known.GetValue(backend, inner => new MeasuredBackend(inner));

    internal OldestAgeProbe OldestAge { get; }

    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => _backend.InitializeAsync(cancellationToken);

    public ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) => _backend.NewIdAsync(cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? CountAsync(tasks, TimeAsync("enqueue", _backend.EnqueueAsync(tasks, cancellationToken)))
            : _backend.EnqueueAsync(tasks, cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? CountAsync(tasks, TimeAsync("enqueue_in", _backend.EnqueueInAsync(tasks, transaction, cancellationToken)))
            : _backend.EnqueueInAsync(tasks, transaction, cancellationToken);

    public ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        _backend.BeginWorkerAsync(worker, cancellationToken);

    /// <summary>Not timed: it waits for work.</summary>
    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default) => _backend.ReserveAsync(request, cancellationToken);

    public ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        IsMeasured ? TimeAsync("cancel", _backend.CancelAsync(id, cancellationToken)) : _backend.CancelAsync(id, cancellationToken);

    public bool Heartbeat(WorkerId owner) => _backend.Heartbeat(owner);

    public ValueTask<int> ReconcileAsync(
        WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default) =>
        _backend.ReconcileAsync(owner, known, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        _backend.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("save_checkpoint", _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken))
            : _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        _backend.ReadCheckpointAsync(id, cancellationToken);

    public ValueTask<bool> SettleAsync(TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync(OperationOf(settlement), _backend.SettleAsync(lease, settlement, cancellationToken))
            : _backend.SettleAsync(lease, settlement, cancellationToken);

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("complete_in", _backend.CompleteInAsync(lease, result, transaction, cancellationToken))
            : _backend.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        _backend.HoldsAsync(lease, cancellationToken);

    public ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        _backend.EndWorkerAsync(owner, release, cancellationToken);

    /// <summary>Not timed: it waits for a task's end.</summary>
    public ValueTask<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        _backend.GetResultAsync(id, timeout, cancellationToken);

    public T? Control<T>()
        where T : class => _backend.Control<T>();

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private static bool IsMeasured => Telemetry.MeasuresCalls;

    private static string OperationOf(Settlement settlement) => settlement switch
    {
        Settlement.Succeeded => "mark_success",
        Settlement.Failed or Settlement.Retried => "mark_failure",
        Settlement.Cancelled => "mark_cancelled",
        Settlement.Snoozed => "snooze",
        _ => "release",
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<T> TimeAsync<T>(string operation, ValueTask<T> call)
    {
        var started = TimeProvider.System.GetTimestamp();
        string? error = null;
        try
        {
            return await call.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            error = e.GetType().FullName;
            throw;
        }
        finally
        {
            Telemetry.RecordCall(operation, TimeProvider.System.GetElapsedTime(started), error);
        }
    }

    private static async ValueTask<IReadOnlyList<EnqueuedTask>> CountAsync(
        IReadOnlyList<NewTask> tasks, ValueTask<IReadOnlyList<EnqueuedTask>> call)
    {
        var enqueued = await call.ConfigureAwait(false);
        for (var i = 0; i < enqueued.Count; i++)
        {
            if (enqueued[i].IsNew)
            {
                Telemetry.CountEnqueued(tasks[i].Queue, tasks[i].Name);
            }
        }

        return enqueued;
    }
}
