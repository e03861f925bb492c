namespace Errand;

/// <summary>What a queue can be asked for in other words.</summary>
public static class TaskQueueExtensions
{
    /// <summary>Enqueues many tasks whose payloads are structs in one transaction: all of them or none.</summary>
    /// <typeparam name="TPayload">The type of the payloads.</typeparam>
    /// <param name="queue">The queue.</param>
    /// <param name="tasks">The payloads. Tasks of equal priority and due time are offered in this order.</param>
    /// <param name="options">The options of every task. <see cref="EnqueueOptions.Id"/> must be null.</param>
    /// <param name="cancellationToken">Ends the wait. Tasks that were already submitted are still committed.</param>
    /// <returns>One handle for each payload, in order.</returns>
    /// <inheritdoc cref="TaskQueue.EnqueueManyAsync(IEnumerable{ITaskPayload}, EnqueueOptions?, CancellationToken)" path="/exception"/>
    public static Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync<TPayload>(
        this ITaskQueue queue, IEnumerable<TPayload> tasks, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
        where TPayload : struct, ITaskPayload
    {
        ArgumentNullException.ThrowIfNull(queue);
        ArgumentNullException.ThrowIfNull(tasks);
        return queue.EnqueueManyAsync(tasks.Select(task => (ITaskPayload)task), options, cancellationToken);
    }
}
