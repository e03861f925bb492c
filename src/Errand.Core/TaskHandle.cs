namespace Errand;

/// <summary>A task that was enqueued: its id, and a way to wait for its end.</summary>
/// <param name="queue">The queue that knows the task.</param>
/// <param name="id">The task's id.</param>
/// <param name="isNew">False where a task of the given id or unique key existed already.</param>
public class TaskHandle(ITaskQueue queue, long id, bool isNew = true)
{
    /// <summary>The task's id: stable over every attempt, so that it can serve as an idempotency key.</summary>
    public long Id { get; } = id;

    /// <summary>
    /// False where this task existed already, of the given <see cref="EnqueueOptions.Id"/> or <see cref="EnqueueOptions.UniqueKey"/>.
    /// </summary>
    public bool IsNew { get; } = isNew;

    /// <summary>Waits until the task has succeeded.</summary>
    /// <param name="timeout">How long to wait. Default is null: for ever.</param>
    /// <param name="cancellationToken">Ends the wait, not the task.</param>
    /// <exception cref="TaskFailedException">The task failed, was cancelled or expired.</exception>
    /// <exception cref="TimeoutException">The task has not ended in time; it goes on.</exception>
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
