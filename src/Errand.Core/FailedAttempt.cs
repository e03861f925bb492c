namespace Errand;

/// <summary>An attempt whose handler threw, for <see cref="TaskWorkerOptions.OnFailure"/> and <see cref="ITaskFailureHandler"/>.</summary>
public sealed record FailedAttempt
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue it was in.</summary>
    public required string Queue { get; init; }

    /// <summary>The number of the attempt that failed, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many attempts the task has in all.</summary>
    public required int MaxAttempts { get; init; }

    /// <summary>The exception that the handler threw.</summary>
    public required Exception Exception { get; init; }

    /// <summary>
    /// Whether another attempt follows if nobody decides otherwise. When it does not, the task is about to end as failed.
    /// </summary>
    public bool WillRetry { get; init; }
}
