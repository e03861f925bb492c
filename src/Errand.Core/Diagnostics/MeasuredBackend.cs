using System.Data.Common;
using System.Runtime.CompilerServices;
using Errand.Payloads;

namespace Errand.Diagnostics;

/// <summary>Counts and times the calls to a backend. While nobody listens, each call is passed on as it is.</summary>
internal sealed class MeasuredBackend : IBackend
{
    /// <summary>One for each backend, so that its queues and workers measure the age of its oldest task once.</summary>
    private static readonly ConditionalWeakTable<IBackend, MeasuredBackend> Known = [];

    private readonly IBackend _backend;
    private readonly Lazy<IServerAddress?> _server;

    private MeasuredBackend(IBackend backend)
    {
        _backend = backend;
        _server = new Lazy<IServerAddress?>(backend.Control<IServerAddress>, LazyThreadSafetyMode.PublicationOnly);
        OldestAge = new OldestAgeProbe(backend);
    }

    internal static MeasuredBackend Over(IBackend backend) =>
        backend as MeasuredBackend ?? Known.GetValue(backend, inner => new MeasuredBackend(inner));

    internal OldestAgeProbe OldestAge { get; }

    /// <summary>What its queues and workers of this process call their payloads.</summary>
    internal TaskNames Names { get; } = new();

    /// <summary>Where the store is; null for a file.</summary>
    internal IServerAddress? Server => _server.Value;

    public ValueTask InitializeAsync(CancellationToken cancellationToken = default) => _backend.InitializeAsync(cancellationToken);

    public ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) => _backend.NewIdAsync(cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? CountAsync("enqueue", tasks, TimeAsync("enqueue", "send", QueueOf(tasks), _backend.EnqueueAsync(tasks, cancellationToken)))
            : _backend.EnqueueAsync(tasks, cancellationToken);

    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? CountAsync(
                "enqueue_in", tasks,
                TimeAsync("enqueue_in", "send", QueueOf(tasks), _backend.EnqueueInAsync(tasks, transaction, cancellationToken)))
            : _backend.EnqueueInAsync(tasks, transaction, cancellationToken);

    public ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default) =>
        _backend.BeginWorkerAsync(worker, cancellationToken);

    /// <summary>Not timed: it waits for work.</summary>
    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default) => _backend.ReserveAsync(request, cancellationToken);

    public ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        IsMeasured ? TimeAsync("cancel", null, null, _backend.CancelAsync(id, cancellationToken)) : _backend.CancelAsync(id, cancellationToken);

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
            ? TimeAsync("save_checkpoint", null, null, _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken))
            : _backend.SaveCheckpointAsync(lease, checkpoint, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        _backend.ReadCheckpointAsync(id, cancellationToken);

    public ValueTask<bool> SettleAsync(TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync(OperationOf(settlement), "settle", null, _backend.SettleAsync(lease, settlement, cancellationToken))
            : _backend.SettleAsync(lease, settlement, cancellationToken);

    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default) =>
        IsMeasured
            ? TimeAsync("complete_in", "settle", null, _backend.CompleteInAsync(lease, result, transaction, cancellationToken))
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

    /// <summary>The queue of all of them; null where they have several.</summary>
    private static string? QueueOf(IReadOnlyList<NewTask> tasks)
    {
        var queue = tasks.Count > 0 ? tasks[0]?.Queue : null; // Arguments are checked by the backend.
        for (var i = 1; i < tasks.Count; i++)
        {
            if (tasks[i]?.Queue != queue)
            {
                return null;
            }
        }

        return queue;
    }

    /// <summary>The name of the call that writes an outcome, in metrics and spans.</summary>
    internal static string OperationOf(Settlement settlement) => settlement switch
    {
        Settlement.Succeeded => "mark_success",
        Settlement.Failed or Settlement.Retried => "mark_failure",
        Settlement.Cancelled => "mark_cancelled",
        Settlement.Snoozed => "snooze",
        _ => "release",
    };

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<T> TimeAsync<T>(string operation, string? type, string? queue, ValueTask<T> call)
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
            Telemetry.RecordCall(operation, type, queue, Server, TimeProvider.System.GetElapsedTime(started), error);
        }
    }

    private async ValueTask<IReadOnlyList<EnqueuedTask>> CountAsync(
        string operation, IReadOnlyList<NewTask> tasks, ValueTask<IReadOnlyList<EnqueuedTask>> call)
    {
        var enqueued = await call.ConfigureAwait(false);
        for (var i = 0; i < enqueued.Count; i++)
        {
            if (enqueued[i].IsNew)
            {
                Telemetry.CountEnqueued(operation, tasks[i].Queue, tasks[i].Name, Server);
            }
        }

        return enqueued;
    }
}
