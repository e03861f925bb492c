using System.Collections.ObjectModel;

namespace Errand;

/// <summary>Everything that the store knows about one task.</summary>
public sealed record TaskDetails : TaskSummary
{
    /// <summary>How many attempts it has in all; null if a finished task does not keep it.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>How long one attempt may run; null for no limit, or if a finished task does not keep it.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The time from which it no longer starts; null for never, and for a finished task, which does not keep it.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Its unique key; null for none, or if a finished task does not keep it.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>The worker incarnation that runs it; null if none does.</summary>
    public WorkerId? Worker { get; init; }

    /// <summary>The number of its last start.</summary>
    public long Epoch { get; init; }

    /// <summary>Whether it runs and somebody has cancelled it.</summary>
    public bool IsCancelRequested { get; init; }

    /// <summary>Whether it is parked because no live worker knows its name.</summary>
    public bool IsParked { get; init; }

    /// <summary>The headers that it was enqueued with. A finished task keeps them only if it failed; otherwise there are none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The payload as UTF-8 JSON. A finished task keeps it only if it failed; otherwise it is empty.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The handler's result as UTF-8 JSON; empty if there is none.</summary>
    public ReadOnlyMemory<byte> Result { get; init; }

    /// <summary>The error that the task ended with, at most 16 KiB; null if there is none.</summary>
    public string? Error { get; init; }

    /// <summary>The last progress that its handler reported; null if it reported none.</summary>
    public TaskProgress? Progress { get; init; }

    /// <summary>
    /// What was logged within its last attempt, a line for each entry, if the worker keeps that
    /// (<see cref="TaskWorkerOptions.KeepLogs"/>); null for nothing, and while the attempt runs.
    /// </summary>
    public string? Log { get; init; }

    /// <summary>
    /// The attempts that failed or were lost without ending the task, oldest first: the last <see cref="Defaults.AttemptsKept"/>. The
    /// attempt that ended the task is described by the task itself. When the task is run again, that attempt joins this list.
    /// </summary>
    public IReadOnlyList<TaskAttempt> History { get; init; } = [];
}
