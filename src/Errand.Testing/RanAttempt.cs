namespace Errand.Testing;

/// <summary>An attempt that was run.</summary>
/// <param name="Id">The task's id.</param>
/// <param name="Name">The stored name of the task.</param>
/// <param name="Queue">The queue it was in.</param>
/// <param name="Attempt">The attempt, from 1. One that was not charged has the same number as the next.</param>
/// <param name="Epoch">The number of this start: one higher at each.</param>
/// <param name="StartedAt">When it started, by the test's clock.</param>
/// <param name="Exception">
/// What failed it: what its handler threw, its timeout, or that its payload or result could not be read or written;
/// null when it succeeded, was put off, or was cancelled without an error of its own.
/// </param>
public sealed record RanAttempt(
    long Id, string Name, string Queue, int Attempt, long Epoch, DateTimeOffset StartedAt, Exception? Exception);
