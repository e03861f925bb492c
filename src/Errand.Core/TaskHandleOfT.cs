namespace Errand;

/// <summary>A task that was enqueued and gives a <typeparamref name="TResult"/>.</summary>
/// <typeparam name="TResult">What its handler returns.</typeparam>
/// <param name="queue">The queue that knows the task.</param>
/// <param name="id">The task's id.</param>
/// <param name="isNew">False where the id was given and the task existed already.</param>
public sealed class TaskHandle<TResult>(ITaskQueue queue, long id, bool isNew = true) : TaskHandle(queue, id, isNew)
{
    /// <summary>Waits until the task has succeeded, and gives its result.</summary>
    /// <param name="timeout">How long to wait. Default is null: for ever.</param>
    /// <param name="cancellationToken">Ends the wait, not the task.</param>
    /// <returns>What the handler returned.</returns>
    /// <exception cref="TaskFailedException">The task failed, was cancelled or expired.</exception>
    /// <exception cref="TimeoutException">The task has not ended in time; it goes on.</exception>
    /// <exception cref="TaskNotFoundException">The task has ended and was removed.</exception>
    /// <exception cref="System.Text.Json.JsonException">The stored result is not a <typeparamref name="TResult"/>.</exception>
    public new async Task<TResult> WaitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var result = await WaitForSuccessAsync(timeout, cancellationToken).ConfigureAwait(false);
        return result.GetValue<TResult>()!;
    }
}
