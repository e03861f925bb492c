namespace Errand;

/// <summary>What is to be done after a handler threw.</summary>
public abstract record RetryDecision
{
    private RetryDecision()
    {
    }

    /// <summary>What the task's own <see cref="RetryPolicy"/> says.</summary>
    public static RetryDecision ByPolicy { get; } = new Policy();

    /// <summary>The task has failed, whatever attempts are left.</summary>
    public static RetryDecision FailNow { get; } = new Fail();

    /// <summary>The attempt has failed, and the next waits this long; when no attempt is left, the task has failed.</summary>
    /// <param name="delay">How long. Less than zero counts as zero, more than 3,650 days as that.</param>
    public static RetryDecision RetryAfter(TimeSpan delay) => new Retry(delay);

    /// <summary>The task waits this long, and the attempt is not charged.</summary>
    /// <param name="delay">How long. Less than zero counts as zero, more than 3,650 days as that.</param>
    public static RetryDecision SnoozeFor(TimeSpan delay) => new Snooze(delay);

    internal sealed record Policy : RetryDecision;

    internal sealed record Fail : RetryDecision;

    internal sealed record Retry(TimeSpan Delay) : RetryDecision;

    internal sealed record Snooze(TimeSpan Delay) : RetryDecision;
}
