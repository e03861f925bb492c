namespace Errand.Testing;

/// <summary>An attempt that was run.</summary>
public sealed record RanAttempt
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue it was in.</summary>
    public required string Queue { get; init; }

    /// <summary>The number of the attempt, from 1. An attempt that was not charged has the same number as the next.</summary>
    public required int Attempt { get; init; }

    /// <summary>The number of this start: one higher at each.</summary>
    public required long Epoch { get; init; }

    /// <summary>When it started, by the test's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>
    /// Why it failed: the handler's exception, its timeout, or a payload or result that could not be read or written. Null if it
    /// succeeded, was snoozed, or was cancelled without an error of its own.
    /// </summary>
    public required Exception? Exception { get; init; }
}
