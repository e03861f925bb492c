namespace Errand;

/// <summary>An attempt of a task that ended without ending the task.</summary>
/// <param name="Attempt">Its number, from 1.</param>
/// <param name="Epoch">The number of the start.</param>
/// <param name="StartedAt">When it was started, by the backend's clock.</param>
/// <param name="EndedAt">When it ended or was given up, by the backend's clock.</param>
/// <param name="Worker">
/// The worker incarnation that ran it; 0 where the store does not keep it, of one that ended its task before the task was run again.
/// </param>
/// <param name="Error">Why: the error with its stack, at most 16 KiB; or that its worker was lost.</param>
public sealed record TaskAttempt(
    int Attempt, long Epoch, DateTimeOffset StartedAt, DateTimeOffset EndedAt, long Worker, string Error);
