namespace Errand;

/// <summary>
/// Thrown by a handler that finds its time has not come: the task waits and is started again, and this attempt is not charged.
/// </summary>
/// <param name="delay">How long to wait. Less than zero counts as zero, more than 3,650 days as that.</param>
public sealed class SnoozeTaskException(TimeSpan delay) : Exception($"The handler put its task off for {delay}.")
{
    /// <summary>How long to wait for the next start.</summary>
    public TimeSpan Delay { get; } = delay;
}
