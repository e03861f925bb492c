namespace Errand;

/// <summary>
/// Runs tasks that give no result, as a class: a host makes one for each attempt, in a scope of that attempt's own. A class may
/// handle several payloads.
/// </summary>
/// <typeparam name="TPayload">The payload that it handles.</typeparam>
public interface ITaskHandler<in TPayload>
    where TPayload : ITask
{
    /// <summary>Runs one attempt; what it throws fails the attempt. It may run more than once for one task.</summary>
    /// <param name="task">The payload.</param>
    /// <param name="context">The attempt; heed its <see cref="TaskContext.CancellationToken"/>.</param>
    Task HandleAsync(TPayload task, TaskContext context);
}

/// <summary>
/// Runs tasks that give a result, as a class: a host makes one for each attempt, in a scope of that attempt's own. A class may
/// handle several payloads.
/// </summary>
/// <typeparam name="TPayload">The payload that it handles.</typeparam>
/// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
public interface ITaskHandler<in TPayload, TResult>
    where TPayload : ITask<TResult>
{
    /// <summary>Runs one attempt; what it throws fails the attempt. It may run more than once for one task.</summary>
    /// <param name="task">The payload.</param>
    /// <param name="context">The attempt; heed its <see cref="TaskContext.CancellationToken"/>.</param>
    /// <returns>The result. It is written as JSON after the attempt's scope has ended: return data, not a query.</returns>
    Task<TResult> HandleAsync(TPayload task, TaskContext context);
}
