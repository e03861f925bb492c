using System.Runtime.CompilerServices;

namespace Errand;

/// <summary>The interface of <see cref="TaskQueue"/>, so that code that enqueues can be tested with a mock.</summary>
public interface ITaskQueue
{
    /// <inheritdoc cref="TaskQueue.NewIdAsync"/>
    Task<TaskId> NewIdAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueAsync(ITaskPayload, EnqueueOptions?, CancellationToken)"/>
    Task<TaskHandle> EnqueueAsync(
        ITaskPayload task, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueAsync{TResult}(ITask{TResult}, EnqueueOptions?, CancellationToken)"/>
    Task<TaskHandle<TResult>> EnqueueAsync<TResult>(
        ITask<TResult> task, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueManyAsync(IEnumerable{ITaskPayload}, EnqueueOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)] // Null options mean this one.
    Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync(
        IEnumerable<ITaskPayload> tasks, EnqueueOptions? options = null, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.EnqueueManyAsync{TPayload}"/>
    Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync<TPayload>(
        IEnumerable<TPayload> tasks, Func<TPayload, EnqueueOptions> options, CancellationToken cancellationToken = default)
        where TPayload : ITaskPayload;

    /// <inheritdoc cref="TaskQueue.CancelAsync"/>
    Task<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="TaskQueue.GetResultAsync"/>
    Task<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout = default, CancellationToken cancellationToken = default);
}
