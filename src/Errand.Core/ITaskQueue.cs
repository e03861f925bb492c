namespace Errand;

/// <summary>What <see cref="TaskQueue"/> does, so that code that enqueues can be tested with a stand-in.</summary>
public interface ITaskQueue
{
    /// <inheritdoc cref="TaskQueue.NewIdAsync"/>
    Task<long> NewIdAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueAsync(ITask, EnqueueOptions?, CancellationToken)"/>
    Task<TaskHandle> EnqueueAsync(
        ITask task, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueAsync{TResult}(ITask{TResult}, EnqueueOptions?, CancellationToken)"/>
    Task<TaskHandle<TResult>> EnqueueAsync<TResult>(
        ITask<TResult> task, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueManyAsync"/>
    Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync(
        IEnumerable<ITaskPayload> tasks, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.GetResultAsync"/>
    Task<TaskResult?> GetResultAsync(long id, TimeSpan timeout = default, CancellationToken cancellationToken = default);
}
