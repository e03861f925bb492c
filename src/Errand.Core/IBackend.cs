using System.Data.Common;

namespace Errand;

/// <summary>
/// What a store promises, in the order of a task's life. Every method is thread-safe, and usable at once: opening the store is
/// implicit. After <see cref="IAsyncDisposable.DisposeAsync"/> each throws <see cref="ObjectDisposedException"/> at once.
/// </summary>
/// <remarks>
/// A method that changes something returns after its commit. A started task belongs to one worker incarnation (its owner), and
/// carries an epoch one higher at every start; every write that settles a task is fenced by id, owner and epoch, and one that
/// comes too late returns false and changes nothing. Cancelling a call that was already submitted abandons the wait, not the
/// commit. Trouble in the store is a <see cref="BackendException"/>.
/// </remarks>
public interface IBackend : IAsyncDisposable
{
    /// <summary>Opens and, where needed, creates or migrates the store. Idempotent.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask InitializeAsync(CancellationToken cancellationToken = default);

    /// <summary>Gives an id that no task has had or will have.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<long> NewIdAsync(CancellationToken cancellationToken = default);

    /// <summary>Commits all of <paramref name="tasks"/>, or none.</summary>
    /// <param name="tasks">At least one. One with an id that exists already, live or finished, changes nothing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One answer for each, in order.</returns>
    /// <exception cref="ArgumentException">An id was given that never came from <see cref="NewIdAsync"/>.</exception>
    ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default);

    /// <summary>
    /// Enqueues inside a transaction of the caller's: the tasks exist if and only if it commits. Nothing is left of a call that
    /// throws, and the transaction can go on.
    /// </summary>
    /// <param name="tasks">As for <see cref="EnqueueAsync"/>.</param>
    /// <param name="transaction">One on this backend's own database, of the provider that the backend names.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>One answer for each, in order.</returns>
    /// <exception cref="ArgumentException">The transaction is not of this database or has ended; or as above.</exception>
    /// <exception cref="InvalidOperationException">
    /// The store cannot take part in a caller's transaction, or the connection keeps less of a commit than the backend promises.
    /// </exception>
    ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>Begins an incarnation of a worker: what it reserves is its own until it ends or its lease runs out.</summary>
    /// <param name="worker">Its lease, and the task names that it knows.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The owner id of the incarnation, random and never reused.</returns>
    ValueTask<long> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default);

    /// <summary>
    /// Waits until there is a task to start, and starts up to <see cref="ReserveRequest.MaxTasks"/>: each belongs to the owner,
    /// with its epoch and attempt counted. Tasks are offered by priority, due time, then id. One whose name no live worker
    /// knows is parked, uncharged; one that has expired ends; queues that are paused give none.
    /// </summary>
    /// <param name="request">Who asks, for which queues and how many.</param>
    /// <param name="cancellationToken">
    /// Ends the wait. Tasks that were started by then are still returned, so that none is orphaned.
    /// </param>
    /// <returns>The tasks; empty when the wait ended without any.</returns>
    /// <exception cref="WorkerLostException">The owner is no longer alive to the store.</exception>
    ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Cancels a task. One that waits ends at once; one that runs is marked, and the worker that runs it is told within a second
    /// (<see cref="WorkerRegistration.CancelRequested"/>): from then on every outcome but success, and a failure for good, ends it as cancelled.
    /// </summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Says that the owner lives. Synchronous, because it is called from a thread of its own that depends on no thread pool.
    /// </summary>
    /// <param name="owner">The incarnation.</param>
    /// <returns>False when the incarnation was ended, or its lease ran out and its tasks were given back.</returns>
    bool Heartbeat(long owner);

    /// <summary>
    /// Gives back, uncharged, what the owner owns without knowing of it: tasks of a reserve whose answer never reached it, which
    /// would otherwise stay with a healthy owner for ever. Not while a reserve of the same owner is under way.
    /// </summary>
    /// <param name="owner">The incarnation.</param>
    /// <param name="known">The ids of the tasks that it runs or is settling.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many were given back.</returns>
    ValueTask<int> ReconcileAsync(long owner, IReadOnlySet<long> known, CancellationToken cancellationToken = default);

    /// <summary>Stores how far a running task has come.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="fraction">From 0 to 1; null for none.</param>
    /// <param name="message">Words for people, at most 1,024 characters without NUL; null for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default);

    /// <summary>Stores data that a later attempt of a running task can go on from.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="checkpoint">The data, which replaces what was stored before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default);

    /// <summary>Gives what <see cref="SaveCheckpointAsync"/> stored last for a task; empty when nothing is.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>Ends a task as succeeded.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="result">The result as JSON; empty for none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> MarkSuccessAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, CancellationToken cancellationToken = default);

    /// <summary>Ends a task as succeeded, if and only if a transaction of the caller's commits.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="result">The result as JSON; empty for none.</param>
    /// <param name="transaction">One on this backend's own database; see <see cref="EnqueueInAsync"/>.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>False when the lease was lost: nothing was changed, and the transaction should be rolled back.</returns>
    ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default);

    /// <summary>Tells whether a task runs under this lease: neither settled nor taken away.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default);

    /// <summary>
    /// Ends an attempt as failed: the task waits for its next attempt, or is failed for good; or it ends as cancelled, when somebody
    /// asked for that meanwhile and an attempt would follow.
    /// </summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="failure">The error, and when to try again.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> MarkFailureAsync(TaskLease lease, TaskFailure failure, CancellationToken cancellationToken = default);

    /// <summary>Ends a task as cancelled, after its handler has heeded that somebody asked for it.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="reason">What the handler threw, where it was more than that it was cancelled; null for nothing.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> MarkCancelledAsync(TaskLease lease, string? reason, CancellationToken cancellationToken = default);

    /// <summary>Puts a task off: it waits, and its attempt is not charged. One that was to be cancelled ends instead.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="delay">How long it waits.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> SnoozeAsync(TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default);

    /// <summary>Gives a task back unfinished; its attempt is not charged. One that was to be cancelled ends instead.</summary>
    /// <param name="lease">The right to do so.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the lease was lost: nothing was changed.</returns>
    ValueTask<bool> ReleaseAsync(TaskLease lease, CancellationToken cancellationToken = default);

    /// <summary>Ends an incarnation.</summary>
    /// <param name="owner">The incarnation.</param>
    /// <param name="release">
    /// True when none of its handlers runs any more: what it still owns is given back at once, uncharged. False when some do:
    /// their tasks come back when the lease has run out.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask EndWorkerAsync(long owner, bool release, CancellationToken cancellationToken = default);

    /// <summary>Gives how a task ended, waiting for its end.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="timeout">How long to wait; zero not at all, <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How it ended; null when it has not ended in time.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<TaskResult?> GetResultAsync(long id, TimeSpan timeout, CancellationToken cancellationToken = default);
}
