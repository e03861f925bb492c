namespace Errand;

/// <summary>The effect of a request to cancel a task.</summary>
public enum CancelOutcome
{
    /// <summary>The task was waiting, and has ended as cancelled. It will never start again.</summary>
    Cancelled,

    /// <summary>
    /// The task is running. Its handler's token is cancelled within a second. If the handler then throws, the task ends as
    /// cancelled; if it returns, the task succeeds. Either way the task is not retried.
    /// </summary>
    Requested,

    /// <summary>The task had already ended. Nothing was changed.</summary>
    AlreadyFinished,
}
