namespace Errand;

/// <summary>A task as a list shows it: without its payload, result and error.</summary>
public record TaskSummary
{
    /// <summary>The task's id.</summary>
    public required long Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>Where it stands.</summary>
    public required TaskState State { get; init; }

    /// <summary>Higher is offered first.</summary>
    public required int Priority { get; init; }

    /// <summary>How many attempts were charged so far, a running one included.</summary>
    public required int Attempt { get; init; }

    /// <summary>When it was enqueued, by the backend's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it is or was due, by the backend's clock.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>When its last attempt was started; null when it has not been started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended; null while it lives.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}
