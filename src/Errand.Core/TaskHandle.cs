namespace Errand;

/// <summary>An enqueued task: its id, and a way to wait for its end.</summary>
/// <param name="queue">The queue of the task.</param>
/// <param name="id">The task's id.</param>
/// <param name="isNew">False if a task with the given id or unique key existed already.</param>
public class TaskHandle(ITaskQueue queue, TaskId id, bool isNew = true)
{
    /// <summary>The task's id: the same for every attempt, so that it can serve as an idempotency key.</summary>
    public TaskId Id { get; } = id;

    /// <summary>
    /// False if the task existed already, with the given <see cref="EnqueueOptions.Id"/> or <see cref="EnqueueOptions.UniqueKey"/>.
    /// </summary>
    public bool IsNew { get; } = isNew;

    /// <summary>Waits until the task has succeeded.</summary>
    /// <param name="timeout">How long to wait. Default is null: forever.</param>
    /// <param name="cancellationToken">Ends the wait, not the task.</param>
    /// <exception cref="TaskFailedException">The task failed, was cancelled or expired.</exception>
    /// <exception cref="TimeoutException">The task has not ended in time. It goes on.</exception>
    /// <exception cref="TaskNotFoundException">The task has ended and was removed.</exception>
    public async Task WaitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default) =>
        await WaitForSuccessAsync(timeout, cancellationToken).ConfigureAwait(false);

    private protected async Task<TaskResult> WaitForSuccessAsync(TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var result = await queue
            .GetResultAsync(Id, timeout ?? Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
        return result switch
        {
            null => throw new TimeoutException($"Task {Id} has not ended within {timeout}. It goes on."),
            { State: TaskState.Succeeded } => result,
            _ => throw new TaskFailedException(result),
        };
    }
}
