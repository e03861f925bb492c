namespace Errand;

/// <summary>An attempt that failed or was lost without ending its task.</summary>
public sealed record TaskAttempt
{
    /// <summary>The number of the attempt, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>The number of the start.</summary>
    public required long Epoch { get; init; }

    /// <summary>When it started, by the backend's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it ended or was given up, by the backend's clock.</summary>
    public required DateTimeOffset EndedAt { get; init; }

    /// <summary>
    /// The worker incarnation that ran it. Null where the store does not keep it: for an attempt that ended its task, after the task
    /// was run again.
    /// </summary>
    public required WorkerId? Worker { get; init; }

    /// <summary>What was logged within it, if its worker keeps that (<see cref="TaskWorkerOptions.KeepLogs"/>); null for nothing.</summary>
    public string? Log { get; init; }

    /// <summary>The error with its stack, at most 16 KiB; or that the worker was lost.</summary>
    public required string Error { get; init; }
}
