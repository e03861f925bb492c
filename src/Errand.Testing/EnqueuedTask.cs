namespace Errand.Testing;

/// <summary>A task that was enqueued, as it stands now.</summary>
/// <typeparam name="TPayload">The payload's type.</typeparam>
public sealed record EnqueuedTask<TPayload>
    where TPayload : ITaskPayload
{
    /// <summary>The task's id.</summary>
    public required long Id { get; init; }

    /// <summary>The payload, read back from the JSON that was stored.</summary>
    public required TPayload Payload { get; init; }

    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>Higher is offered first.</summary>
    public required int Priority { get; init; }

    /// <summary>When it was enqueued, by the test's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it is due next, or was due last.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>After this it does not start any more; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Its unique key; null for none.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>How long one attempt may run; null for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public required RetryPolicy Retry { get; init; }

    /// <summary>Where it stands.</summary>
    public required TaskState State { get; init; }

    /// <summary>How many attempts were charged so far, a running one included.</summary>
    public required int Attempt { get; init; }
}
