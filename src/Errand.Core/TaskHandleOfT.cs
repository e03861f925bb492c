namespace Errand;

/// <summary>An enqueued task that returns a <typeparamref name="TResult"/>.</summary>
/// <typeparam name="TResult">The type that its handler returns.</typeparam>
/// <param name="queue">The queue of the task.</param>
/// <param name="id">The task's id.</param>
/// <param name="isNew">False if a task with the given id or unique key existed already.</param>
public sealed class TaskHandle<TResult>(ITaskQueue queue, TaskId id, bool isNew = true) : TaskHandle(queue, id, isNew)
{
    /// <summary>Waits until the task has succeeded, and returns its result.</summary>
    /// <param name="timeout">How long to wait. Default is null: forever.</param>
    /// <param name="cancellationToken">Ends the wait, not the task.</param>
    /// <returns>The result of the handler.</returns>
    /// <exception cref="TaskFailedException">The task failed, was cancelled or expired.</exception>
    /// <exception cref="TimeoutException">The task has not ended in time. It goes on.</exception>
    /// <exception cref="TaskNotFoundException">The task has ended and was removed.</exception>
    /// <exception cref="System.Text.Json.JsonException">The stored result is not a <typeparamref name="TResult"/>.</exception>
    public new async Task<TResult> WaitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var result = await WaitForSuccessAsync(timeout, cancellationToken).ConfigureAwait(false);
        return result.GetValue<TResult>()!;
    }
}
