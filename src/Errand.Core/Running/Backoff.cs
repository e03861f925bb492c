namespace Errand;

/// <summary>The arithmetic of waiting between attempts: pure, so that it can be tested alone.</summary>
internal static class Backoff
{
    /// <summary>The wait after attempt number <paramref name="attempt"/> (from 1) has failed.</summary>
    /// <param name="policy">The task's policy.</param>
    /// <param name="attempt">The attempt that failed, from 1.</param>
    /// <param name="sample">A uniform sample from [0, 1) that places the wait within its jitter.</param>
    internal static TimeSpan After(RetryPolicy policy, int attempt, double sample)
    {
        // Math.Pow overflows to infinity, and infinitely often no delay at all is not a number.
        var growth = Math.Min(Math.Pow(policy.Factor, attempt - 1), double.MaxValue);
        var exact = Math.Min(policy.Delay.TotalMilliseconds * growth, policy.MaxDelay.TotalMilliseconds);
        var spread = exact * (1 + policy.Jitter * (2 * sample - 1));
        return TimeSpan.FromMilliseconds(Math.Round(spread));
    }

    /// <summary>
    /// The wait after an attempt that was lost with its worker: the same, with its jitter downward alone. A crash costs the default
    /// policy no more than a second, and tasks that were lost together come back one after another.
    /// </summary>
    internal static TimeSpan AfterLoss(RetryPolicy policy, int attempt, double sample) =>
        After(policy with { Jitter = 0 }, attempt, sample) * (1 - policy.Jitter * sample);

    /// <summary>A wait that somebody else has chosen, within what a due time can hold.</summary>
    internal static TimeSpan Bounded(TimeSpan delay) =>
        delay < TimeSpan.Zero ? TimeSpan.Zero : delay > Longest ? Longest : delay;

    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    /// <summary>
    /// A sample that depends on the task and attempt alone: tasks that fail together spread out, and a replay of the
    /// same history waits for the same time.
    /// </summary>
    internal static double Sample(long taskId, int attempt)
    {
        // The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
        var bits = unchecked((ulong)taskId * 0x9E3779B97F4A7C15UL + (ulong)attempt);
        bits = unchecked((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9UL);
        bits = unchecked((bits ^ (bits >> 27)) * 0x94D049BB133111EBUL);
        return ((bits ^ (bits >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
