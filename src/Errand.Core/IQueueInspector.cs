namespace Errand;

/// <summary>
/// Inspection and administration of a store, for operators. A change is committed when the call returns, and the workers of every
/// process see it within a second. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// A host registers it as a service. Elsewhere, get it from the backend with <see cref="IBackend.Control{T}"/>.
/// </para>
/// <para>
/// Every method throws <see cref="BackendException"/> if the store could not complete the call (<see cref="BackendException.IsTransient"/>
/// says whether retrying may help), <see cref="ObjectDisposedException"/> if the backend is disposed, and
/// <see cref="ArgumentException"/> for a queue, filter or limit that is not allowed; the message says what is.
/// </para>
/// </remarks>
public interface IQueueInspector
{
    /// <summary>Reads the counts, workers and waiting tasks in one snapshot of the store.</summary>
    /// <remarks>
    /// Cheap enough for a health check, however many tasks there are. Counts that would cost more are bounded;
    /// <see cref="QueueCount.IsAtLeast"/> says which.
    /// </remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Measures how long the oldest waiting task has been due without being started (<see cref="QueueOverview.OldestWaiting"/>), and
    /// nothing else: cheap enough for a metric that is read every few seconds. The default implementation takes a whole overview.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    async ValueTask<TimeSpan?> GetOldestWaitingAsync(CancellationToken cancellationToken = default) =>
        (await GetOverviewAsync(cancellationToken).ConfigureAwait(false)).OldestWaiting;

    /// <summary>Lists tasks, newest first, live and finished. Payloads, results and errors are not loaded.</summary>
    /// <param name="filter">Which tasks. Default is null: all.</param>
    /// <param name="limit">The most tasks to return. Default is 50; 1 to <see cref="TaskPage.MaxTasks"/>.</param>
    /// <param name="before">
    /// Only tasks with a smaller id: <see cref="TaskPage.Next"/> of the previous page. Default is null: from the newest.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default);

    /// <summary>Returns everything that is known about a task; null if no task has this id, live or finished.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<TaskDetails?> FindAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>Explains in words why a task is not running, or that it is.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<TaskExplanation> ExplainAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>Lists the workers of every process by id, with the tasks that each holds.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs a task again. A failed task waits again under its id, with all its attempts; it keeps its history, including the attempt
    /// that ended it, and no longer expires. A task that is due later becomes due now.
    /// </summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// False if the task is pending or running, or has ended without failing; or if another task now holds its unique key.
    /// </returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs all failed tasks again that match a filter, in batches that commit one by one; see
    /// <see cref="RetryAsync(TaskId, CancellationToken)"/>. A task that fails meanwhile is not retried.
    /// </summary>
    /// <param name="filter">Which tasks. Its states must be empty, or <see cref="TaskState.Failed"/> alone.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>How many tasks run again.</returns>
    ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes a task with its history and result. Callers that wait for the result get <see cref="TaskNotFoundException"/>. A
    /// running task is not removed: cancel it first.
    /// </summary>
    /// <remarks>A key that is reserved for a time (<see cref="EnqueueOptions.UniqueFor"/>) stays reserved.</remarks>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the task is running.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Pauses a queue, even if it has no task yet. No process starts its tasks until it is resumed, also after a restart. Running tasks
    /// go on, and tasks can still be enqueued.
    /// </summary>
    /// <param name="queue">Its name; not a pattern.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the queue was paused already.</returns>
    ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default);

    /// <summary>Resumes a queue. Its tasks are offered at once.</summary>
    /// <param name="queue">Its name; not a pattern.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the queue was not paused.</returns>
    ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default);
}
