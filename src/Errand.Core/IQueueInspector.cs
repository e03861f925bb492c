namespace Errand;

/// <summary>
/// How a store is looked at and governed by people, beside <see cref="IBackend"/>, which runs it. What is changed here is committed
/// when the call returns, and seen by the workers of every process within a second. Thread-safe.
/// </summary>
/// <remarks>
/// Every method throws <see cref="BackendException"/> when the store could not do it (<see cref="BackendException.IsTransient"/> tells
/// more), <see cref="ObjectDisposedException"/> when the backend is disposed, and <see cref="ArgumentException"/> for a queue, filter
/// or limit that cannot be, with what is wrong and what is allowed.
/// </remarks>
public interface IQueueInspector
{
    /// <summary>Looks at everything at once, in one snapshot of the store.</summary>
    /// <remarks>
    /// It is cheap enough for a health check: with a million tasks it takes a fraction of a second. What would cost more is
    /// looked at in part; <see cref="QueueOverview"/> says where.
    /// </remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default);

    /// <summary>Lists tasks, newest first, live and finished. Payloads, results and errors are not loaded.</summary>
    /// <param name="filter">Which. Default is null: all.</param>
    /// <param name="limit">How many at most. Default is 50; 1 to <see cref="TaskPage.MaxTasks"/>.</param>
    /// <param name="before">Only tasks with a smaller id: <see cref="TaskPage.Next"/> of the page before. Default is null: from the newest.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, long? before = null, CancellationToken cancellationToken = default);

    /// <summary>Gives all that is known of a task; null when no task has this id, live or finished.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<TaskDetails?> FindAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>Says in words why a task is not running, or that it is.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<TaskExplanation> ExplainAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>Lists the workers of every process, with what each holds; by id.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs a task again: one that has failed for good waits anew, with all its attempts and under its id, its history kept, the
    /// attempt that ended it included, and its expiry lifted; one that is due later is due now.
    /// </summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// False when it is pending, runs, or has ended otherwise than by failing; or when another task holds its unique key by now.
    /// </returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<bool> RetryAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Runs all failed tasks again that a filter means, in batches of which each commits; see
    /// <see cref="RetryAsync(long, CancellationToken)"/>. One that fails while this goes on is left as it is.
    /// </summary>
    /// <param name="filter">Which. Its states must be none, or <see cref="TaskState.Failed"/> alone.</param>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    /// <returns>How many run again.</returns>
    ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes a task, with its history and result; whoever waits for its result gets <see cref="TaskNotFoundException"/>. One that
    /// runs is not removed: cancel it first.
    /// </summary>
    /// <remarks>A key that was to stay taken for a time (<see cref="EnqueueOptions.UniqueFor"/>) stays taken.</remarks>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when it runs.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, live or finished.</exception>
    ValueTask<bool> DeleteAsync(long id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Pauses a queue, of which there need be no task yet: none of its tasks is started until it is resumed, by whatever process and
    /// after whatever restart. What runs goes on. Tasks can still be enqueued.
    /// </summary>
    /// <param name="queue">Its name; not a pattern.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when it was paused already.</returns>
    ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default);

    /// <summary>Lets a queue go on; its tasks are offered at once.</summary>
    /// <param name="queue">Its name; not a pattern.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when it was not paused.</returns>
    ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default);
}
