namespace Errand;

/// <summary>
/// Code of the application's own around every enqueue and every attempt: a tenant, a culture, an error reporter, an audit.
/// Override one method or both.
/// </summary>
/// <remarks>
/// The first that was added is the outermost. In a host it comes from a scope: of the attempt, which is the handler's, or of the call that
/// enqueues. Given in options, one instance serves all calls and must be thread-safe.
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Naming", "CA1716:Identifiers should not match keywords", Justification = "Middleware calls what follows 'next' everywhere in .NET.")]
public interface ITaskMiddleware
{
    /// <summary>Runs around one call that enqueues. What it throws, the caller gets, and nothing is enqueued if it had not called <paramref name="next"/>.</summary>
    /// <param name="context">The tasks, whose options it may change before it calls <paramref name="next"/>.</param>
    /// <param name="next">
    /// Goes on; when it returns, the tasks are committed, or written in the caller's transaction. To be called once; if it is not called,
    /// the enqueue throws an <see cref="InvalidOperationException"/>.
    /// </param>
    ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return next();
    }

    /// <summary>
    /// Runs around one attempt, after the payload was read and before the result is written. What it throws fails the attempt, as if the
    /// handler had thrown it.
    /// </summary>
    /// <param name="context">The attempt.</param>
    /// <param name="next">
    /// Goes on; when it returns, the handler has run. If it is not called, the task ends as succeeded without a result; if it is called
    /// again, the handler runs again within the attempt, and its last result counts.
    /// </param>
    ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return next();
    }
}
