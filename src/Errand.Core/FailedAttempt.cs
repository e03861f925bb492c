namespace Errand;

/// <summary>An attempt whose handler threw, for a decision on what to do.</summary>
/// <param name="Id">The task's id.</param>
/// <param name="Name">The stored name of the task.</param>
/// <param name="Queue">The queue it was in.</param>
/// <param name="Attempt">The attempt that failed, from 1.</param>
/// <param name="MaxAttempts">How many the task has in all.</param>
/// <param name="Exception">What the handler threw.</param>
public sealed record FailedAttempt(long Id, string Name, string Queue, int Attempt, int MaxAttempts, Exception Exception);
