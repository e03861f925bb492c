using System.Data.Common;

namespace Errand.Storage;

/// <summary>
/// The contract of a store, in the order of a task's life. Every method is thread-safe and works at once: the first use opens the
/// store. After <see cref="IAsyncDisposable.DisposeAsync"/> every method throws <see cref="ObjectDisposedException"/> at once.
/// </summary>
/// <remarks>
/// <para>
/// A method that changes something returns after its commit. A started task belongs to one worker incarnation, its owner. It carries
/// an epoch that is one higher at every start. Every write that settles a task is fenced by id, owner and epoch; a write that comes
/// too late returns false and changes nothing. Cancelling a submitted call abandons the wait, not the commit. A store that cannot
/// complete a call throws <see cref="BackendException"/>.
/// </para>
/// <para>
/// Members that a later version adds have default implementations, and new capabilities come as interfaces of their own (see
/// <see cref="Control{T}"/>), so that a backend compiled against this version keeps working.
/// </para>
/// </remarks>
public interface IBackend : IAsyncDisposable, IDisposable
{
    /// <summary>Opens the store, and creates or migrates it where needed. Idempotent.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask InitializeAsync(CancellationToken cancellationToken = default);

    /// <summary>Reserves an id that no task has had or will have.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default);

    /// <summary>Commits all <paramref name="tasks"/> or none.</summary>
    /// <param name="tasks">At least one. A task whose id already exists, live or finished, changes nothing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One answer for each task, in order.</returns>
    /// <exception cref="ArgumentException">An id was given that never came from <see cref="NewIdAsync"/>.</exception>
    ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default);

    /// <summary>
    /// Enqueues inside the caller's transaction: the tasks exist if and only if it commits. A call that throws leaves nothing
    /// behind, and the caller can continue the transaction.
    /// </summary>
    /// <param name="tasks">See <see cref="EnqueueAsync"/>.</param>
    /// <param name="transaction">An open transaction on this backend's database, of the ADO.NET type that the backend documents.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>One answer for each task, in order.</returns>
    /// <exception cref="ArgumentException">
    /// The transaction is on another database or has ended; or an id was given that never came from <see cref="NewIdAsync"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// The store cannot take part in a caller's transaction, or the connection's durability setting is weaker than the backend's.
    /// </exception>
    ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>Begins an incarnation of a worker. It owns the tasks that it reserves until it ends or its lease runs out.</summary>
    /// <param name="worker">The worker's lease, and the task names that it knows.</param>
    /// <param name="cancellationToken">Ends the wait. No incarnation is left behind.</param>
    /// <returns>The id of the incarnation, random and never reused.</returns>
    ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default);

    /// <summary>
    /// Waits until there is a task to start, then starts up to <see cref="ReserveRequest.MaxTasks"/>. Each started task belongs to the
    /// owner, with its epoch and attempt counted. Tasks are offered by priority, due time, then id.
    /// </summary>
    /// <remarks>
    /// A task whose name no live worker knows is parked, and its attempt is not charged. An expired task ends. Paused queues offer
    /// nothing.
    /// </remarks>
    /// <param name="request">The owner, its queues, and how many tasks it can take.</param>
    /// <param name="cancellationToken">
    /// Ends the wait. Tasks that were started by then are still returned, so that none is orphaned.
    /// </param>
    /// <returns>The tasks; empty if the wait ended without any.</returns>
    /// <exception cref="WorkerLostException">The store no longer counts the owner as alive.</exception>
    ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Cancels a task. A waiting task ends at once. A running task is marked, and its worker learns of it within a second
    /// (<see cref="WorkerRegistration.CancelRequested"/>). From then on the task ends as cancelled, unless its handler succeeds or
    /// fails permanently.
    /// </summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Reports that the owner is alive. Synchronous, because the worker calls it on a dedicated thread, which must not depend on the
    /// thread pool.
    /// </summary>
    /// <param name="owner">The incarnation.</param>
    /// <returns>False if the incarnation has ended, or its lease ran out and its tasks were released.</returns>
    bool Heartbeat(WorkerId owner);

    /// <summary>
    /// Releases tasks that the store assigned to this owner but whose reservation never reached it. Their attempts are not charged.
    /// Without this call they would stay with a healthy owner forever. Do not call it while a reserve of the same owner is under way.
    /// </summary>
    /// <param name="owner">The incarnation.</param>
    /// <param name="known">The ids of the tasks that the owner runs or is settling.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many tasks were released.</returns>
    ValueTask<int> ReconcileAsync(WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default);

    /// <summary>Stores the progress of a running task.</summary>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="fraction">From 0 to 1; null for none.</param>
    /// <param name="message">A text for people, at most 1,024 characters without NUL; null for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default);

    /// <summary>Stores data from which a later attempt of a running task can continue.</summary>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="checkpoint">The data. It replaces what was stored before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default);

    /// <summary>Reads the last data that <see cref="SaveCheckpointAsync"/> stored for a task; empty if there is none.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>Settles an attempt: the task ends or waits again, as <paramref name="settlement"/> says.</summary>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="settlement">How the attempt ends.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    ValueTask<bool> SettleAsync(TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default);

    /// <summary>Ends a task as succeeded, if and only if the caller's transaction commits.</summary>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="result">The result as UTF-8 JSON; empty for none.</param>
    /// <param name="transaction">An open transaction on this backend's database; see <see cref="EnqueueInAsync"/>.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>False if the lease was lost and nothing has changed. Roll the transaction back.</returns>
    ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>Checks whether a task still runs under this lease: it was neither settled nor taken away.</summary>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default);

    /// <summary>Ends an incarnation.</summary>
    /// <param name="owner">The incarnation.</param>
    /// <param name="release">
    /// True if none of its handlers is running: the tasks that it still owns are released at once, and their attempts are not
    /// charged. False if some are: their tasks are released when the lease has run out.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default);

    /// <summary>Waits until a task has ended, and returns how.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="timeout">How long to wait. Zero does not wait; <see cref="Timeout.InfiniteTimeSpan"/> waits forever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How the task ended; null if it has not ended in time.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default);

    /// <summary>
    /// Returns a capability of this store beyond the contract, such as <see cref="IQueueInspector"/>, or null if the store lacks it.
    /// </summary>
    /// <remarks>
    /// New capabilities are added as interfaces of their own, so that existing backends keep compiling: they do not implement the
    /// interface, and callers get null. A backend that wraps another one must forward this call. The default implementation
    /// returns the backend itself if it implements <typeparamref name="T"/>.
    /// </remarks>
    /// <typeparam name="T">The interface of the capability.</typeparam>
    T? Control<T>()
        where T : class => this as T;

    /// <summary>Disposes as <see cref="IAsyncDisposable.DisposeAsync"/> does, and blocks until it has ended.</summary>
#pragma warning disable CA1816 // An interface has no finalizer to suppress.
    void IDisposable.Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();
#pragma warning restore CA1816
}
