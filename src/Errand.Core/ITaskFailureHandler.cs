namespace Errand;

/// <summary>
/// Is told of every attempt that failed, with services, and may decide what follows: for an error reporter, an alert, or a rule by type
/// of exception.
/// </summary>
/// <remarks>
/// <para>
/// It is told of what a handler or middleware threw, also where the exception itself decides (<see cref="FailTaskException"/>,
/// <see cref="RetryTaskException"/>) and where <see cref="TaskWorkerOptions.OnFailure"/> has decided, and of a payload or result that JSON
/// cannot read or write. It is not told of a snooze, of an attempt that was cancelled or released, nor of one that was lost with its process:
/// nobody is left there to tell.
/// </para>
/// <para>
/// In a host it comes from the attempt's scope, which is the handler's. The attempt keeps its slot while it runs. Several are told in the
/// order in which they were added.
/// </para>
/// </remarks>
public interface ITaskFailureHandler
{
    /// <summary>An attempt has failed. The outcome is not written yet. What this throws is logged, and changes nothing.</summary>
    /// <param name="attempt">The attempt, its exception, and what is about to follow.</param>
    /// <param name="context">The attempt as its handler saw it. Its token may be cancelled.</param>
    /// <returns>
    /// What is to be done; null to leave it as it is. The first that returns a decision decides, unless the exception itself or
    /// <see cref="TaskWorkerOptions.OnFailure"/> has; then, and where JSON is at fault, the decision is ignored.
    /// </returns>
    ValueTask<RetryDecision?> HandleAsync(FailedAttempt attempt, TaskContext context);
}
