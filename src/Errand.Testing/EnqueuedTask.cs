using System.Collections.ObjectModel;

namespace Errand.Testing;

/// <summary>A task that was enqueued, as it is now.</summary>
/// <typeparam name="TPayload">The type of the payload.</typeparam>
public sealed record EnqueuedTask<TPayload>
    where TPayload : ITaskPayload
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The payload, read back from the JSON that was stored.</summary>
    public required TPayload Payload { get; init; }

    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>A task with a higher priority is offered first.</summary>
    public required int Priority { get; init; }

    /// <summary>When it was enqueued, by the test's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it is due next, or was last due.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>The time from which it no longer starts; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Its unique key; null for none.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>How long one attempt may run; null for no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off.</summary>
    public required RetryPolicy Retry { get; init; }

    /// <summary>Its headers; empty for none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The state of the task.</summary>
    public required TaskState State { get; init; }

    /// <summary>How many attempts were charged so far, including a running one.</summary>
    public required int Attempt { get; init; }
}
