namespace Errand;

/// <summary>A task in a list: without its payload, result and error.</summary>
public record TaskSummary
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>The state of the task.</summary>
    public required TaskState State { get; init; }

    /// <summary>A task with a higher priority is offered first.</summary>
    public required int Priority { get; init; }

    /// <summary>How many attempts were charged so far, including a running one.</summary>
    public required int Attempt { get; init; }

    /// <summary>When it was enqueued, by the backend's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it is or was due, by the backend's clock.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>When its last attempt started; null if it has never started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended; null if it has not.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}
