namespace Errand;

/// <summary>
/// Throw this from a handler that cannot run yet: the task waits and is started again, and this attempt is not charged.
/// </summary>
/// <param name="delay">How long to wait. A negative time counts as zero, more than 3,650 days as 3,650 days.</param>
public sealed class SnoozeTaskException(TimeSpan delay) : ErrandException($"The handler put its task off for {delay}.")
{
    /// <summary>How long to wait for the next start.</summary>
    public TimeSpan Delay { get; } = delay;
}
