namespace Errand.Storage;

/// <summary>A task that a backend is asked to enqueue.</summary>
public sealed record NewTask
{
    /// <summary>An id reserved with <see cref="IBackend.NewIdAsync"/>. Null lets the backend assign one.</summary>
    public TaskId? Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue.</summary>
    public string Queue { get; init; } = Defaults.Queue;

    /// <summary>A task with a higher priority is offered first.</summary>
    public int Priority { get; init; }

    /// <summary>How long after the commit the task is due. Null is at once. Never set together with <see cref="DueAt"/>.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>When the task is due. Null is at once.</summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>The time from which the task no longer starts. Null is never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>
    /// No other task of this name is created with this key while the task waits or runs, or its <see cref="UniqueFor"/> has not passed.
    /// Null is no key.
    /// </summary>
    public string? UniqueKey { get; init; }

    /// <summary>How long after enqueueing the key stays reserved, even if the task has already finished. Null is no longer than that.</summary>
    public TimeSpan? UniqueFor { get; init; }

    /// <summary>How long one attempt may run. Null is no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.Default;

    /// <summary>
    /// The headers of the task and the trace context of its enqueue, as one JSON object of texts. The store keeps it as it is. Null is none.
    /// </summary>
    public string? Headers { get; init; }

    /// <summary>The payload as UTF-8 JSON, at most 256 MiB. The backend copies it before the call returns to its caller.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The array of the payload if Errand itself has made it: nobody else can change it, and it is not copied again.</summary>
    internal byte[]? OwnPayload { get; init; }
}
