namespace Errand.Storage;

/// <summary>A task that a backend has started for a worker.</summary>
public sealed record ReservedTask
{
    /// <summary>The right to settle it.</summary>
    public required TaskLease Lease { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue it was in.</summary>
    public required string Queue { get; init; }

    /// <summary>The number of this attempt, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>When the task was enqueued, by the backend's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When the task was due, by the backend's clock.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>
    /// Whether an earlier attempt was lost with its worker's process. It may have been this task that ended the process, so a worker
    /// starts nothing new beside it. Default is false.
    /// </summary>
    public bool WasLost { get; init; }

    /// <summary>How long this attempt may run. Null is no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public required RetryPolicy Retry { get; init; }

    /// <summary>
    /// The headers of the task and the trace context of its enqueue, as one JSON object of texts. The store keeps it as it is. Null is none.
    /// </summary>
    public string? Headers { get; init; }

    /// <summary>The payload as UTF-8 JSON.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }
}
