namespace Errand;

/// <summary>A task that was started for a worker.</summary>
public sealed record ReservedTask
{
    /// <summary>The right to settle it.</summary>
    public required TaskLease Lease { get; init; }

    /// <summary>The stored name.</summary>
    public required string Name { get; init; }

    /// <summary>The queue it was in.</summary>
    public required string Queue { get; init; }

    /// <summary>This attempt, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>When it was enqueued, by the backend's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it was due, by the backend's clock.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>How long this attempt may run; null for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public required RetryPolicy Retry { get; init; }

    /// <summary>The trace context of its enqueue: W3C traceparent, and tracestate after a space; null for none.</summary>
    public string? Trace { get; init; }

    /// <summary>The payload as UTF-8 JSON.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }
}
