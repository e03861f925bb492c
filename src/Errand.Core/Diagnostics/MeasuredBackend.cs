using System.Data.Common;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Errand.Diagnostics;

/// <summary>A backend whose calls are counted and timed. Where nobody listens, each is handed on as it is.</summary>
internal sealed class MeasuredBackend : IBackend
{
    private readonly IBackend _backend;

    private MeasuredBackend(IBackend backend) => _backend = backend;

    internal static IBackend Over(IBackend backend) => backend as MeasuredBackend ?? new MeasuredBackend(backend);

    /// <summary>How the store is looked at from outside; null where it cannot be.</summary>
    internal IQueueInspector? Inspector => _backend as IQueueInspector;

    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => _backend.InitializeAsync(cancellationToken);

    public ValueTask<long> NewIdAsync(CancellationToken cancellationToken = default) => _backend.NewIdAsync(cancellationToken);

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

    public ValueTask<long> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        _backend.BeginWorkerAsync(worker, cancellationToken);

    /// <summary>Not timed: it waits for work.</summary>
    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default) => _backend.ReserveAsync(request, cancellationToken);

    public ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default) =>
        IsMeasured ? TimeAsync("cancel", _backend.CancelAsync(id, cancellationToken)) : _backend.CancelAsync(id, cancellationToken);

    public bool Heartbeat(long owner) => _backend.Heartbeat(owner);

    public ValueTask<int> ReconcileAsync(long owner, IReadOnlySet<long> known, CancellationToken cancellationToken = default) =>
        _backend.ReconcileAsync(owner, known, cancellationToken);

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        _backend.ReportProgressAsync(lease, fraction, message, cancellationToken);

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("save_checkpoint", _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken))
            : _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(long id, CancellationToken cancellationToken = default) =>
        _backend.ReadCheckpointAsync(id, cancellationToken);

    public ValueTask<bool> MarkSuccessAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("mark_success", _backend.MarkSuccessAsync(lease, result, cancellationToken))
            : _backend.MarkSuccessAsync(lease, result, cancellationToken);

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("complete_in", _backend.CompleteInAsync(lease, result, transaction, cancellationToken))
            : _backend.CompleteInAsync(lease, result, transaction, cancellationToken);

    public ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        _backend.HoldsAsync(lease, cancellationToken);

    public ValueTask<bool> MarkFailureAsync(TaskLease lease, TaskFailure failure, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("mark_failure", _backend.MarkFailureAsync(lease, failure, cancellationToken))
            : _backend.MarkFailureAsync(lease, failure, cancellationToken);

    public ValueTask<bool> MarkCancelledAsync(TaskLease lease, string? reason, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("mark_cancelled", _backend.MarkCancelledAsync(lease, reason, cancellationToken))
            : _backend.MarkCancelledAsync(lease, reason, cancellationToken);

    public ValueTask<bool> SnoozeAsync(TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("snooze", _backend.SnoozeAsync(lease, delay, cancellationToken))
            : _backend.SnoozeAsync(lease, delay, cancellationToken);

    public ValueTask<bool> ReleaseAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("release", _backend.ReleaseAsync(lease, cancellationToken))
            : _backend.ReleaseAsync(lease, cancellationToken);

    public ValueTask EndWorkerAsync(long owner, bool release, CancellationToken cancellationToken = default) =>
        _backend.EndWorkerAsync(owner, release, cancellationToken);

    /// <summary>Not timed: it waits for a task's end.</summary>
    public ValueTask<TaskResult?> GetResultAsync(long id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        _backend.GetResultAsync(id, timeout, cancellationToken);

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private static bool IsMeasured => Telemetry.OperationDuration.Enabled || Telemetry.Enqueued.Enabled;

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
            var tags = new TagList
            {
                { Telemetry.SystemTag, Telemetry.SystemValue }, { Telemetry.OperationNameTag, operation },
            };
            if (error is not null)
            {
                tags.Add(Telemetry.ErrorTag, error);
            }

            Telemetry.OperationDuration.Record(TimeProvider.System.GetElapsedTime(started).TotalSeconds, tags);
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
                Telemetry.Enqueued.Add(1, Telemetry.TagsOf(tasks[i].Queue, tasks[i].Name));
            }
        }

        return enqueued;
    }
}
