namespace Errand;

/// <summary>What a backend is given to enqueue.</summary>
public sealed record NewTask
{
    /// <summary>The id, had before from <see cref="IBackend.NewIdAsync"/>; null to be given one.</summary>
    public long? Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue.</summary>
    public string Queue { get; init; } = Defaults.Queue;

    /// <summary>Higher is offered first.</summary>
    public int Priority { get; init; }

    /// <summary>How long until it is due, from the commit on; null for at once. Not together with <see cref="DueAt"/>.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>When it is due; null for at once.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>After this it does not start any more; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>
    /// While a task of this name and key lives, or <see cref="UniqueFor"/> of one has not passed, another is not made; null for none.
    /// </summary>
    public string? UniqueKey { get; init; }

    /// <summary>How long from its enqueue on the key stays taken, though the task has ended; null for no longer than it lives.</summary>
    public TimeSpan? UniqueFor { get; init; }

    /// <summary>How long one attempt may run; null for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.Default;

    /// <summary>The trace context of the enqueue: W3C traceparent, and tracestate after a space; null for none.</summary>
    public string? Trace { get; init; }

    /// <summary>The payload as UTF-8 JSON.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }
}
