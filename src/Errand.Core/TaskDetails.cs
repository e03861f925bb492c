namespace Errand;

/// <summary>All that is known of one task.</summary>
public sealed record TaskDetails : TaskSummary
{
    /// <summary>How many attempts it has in all; null where a finished task does not keep it.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>How long one attempt may run; null for ever, or where a finished task does not keep it.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>After this it does not start any more; null for never, and for a finished task, which does not keep it.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Its unique key; null for none, or where a finished task does not keep it.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>The worker incarnation that runs it; null when none does.</summary>
    public long? Worker { get; init; }

    /// <summary>The number of its last start.</summary>
    public long Epoch { get; init; }

    /// <summary>Whether somebody has asked for it to be cancelled while it runs.</summary>
    public bool IsCancelRequested { get; init; }

    /// <summary>Whether it was put aside because no live worker knows its name.</summary>
    public bool IsParked { get; init; }

    /// <summary>The payload as UTF-8 JSON. Finished tasks keep it only when they failed; else it is empty.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The handler's result as UTF-8 JSON; empty when there is none.</summary>
    public ReadOnlyMemory<byte> Result { get; init; }

    /// <summary>The error that the task ended with, at most 16 KiB; null when there is none.</summary>
    public string? Error { get; init; }

    /// <summary>What its handler last said of its progress; null when it has not.</summary>
    public TaskProgress? Progress { get; init; }

    /// <summary>
    /// Its attempts that failed or were lost without ending it, oldest first: the last <see cref="Defaults.AttemptsKept"/>. The
    /// attempt that ended it is told by the task itself; when it is run again, that attempt is among these.
    /// </summary>
    public IReadOnlyList<TaskAttempt> History { get; init; } = [];
}
