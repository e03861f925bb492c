namespace Errand;

/// <summary>How often a task is attempted, and how long it waits between two attempts.</summary>
/// <remarks>
/// The wait before attempt n+1 is <c>Delay × Factor^(n-1)</c>, never more than <see cref="MaxDelay"/>, then spread by
/// <see cref="Jitter"/> so that tasks that failed together do not come back together. It is stored with the task, its times in
/// whole milliseconds: what is less is dropped.
/// </remarks>
public sealed record RetryPolicy
{
    /// <summary>The policy of a task that names none.</summary>
    public static RetryPolicy Default { get; } = new();

    /// <summary>One attempt, no retry.</summary>
    public static RetryPolicy None { get; } = new() { MaxAttempts = 1 };

    /// <summary>The same wait before every attempt, without jitter.</summary>
    /// <param name="delay">The wait; zero to 30 days.</param>
    /// <param name="maxAttempts">Attempts in all, the first included. Default is 5; 1 to 10,000.</param>
    public static RetryPolicy Fixed(TimeSpan delay, int maxAttempts = Defaults.MaxAttempts) =>
        new() { MaxAttempts = maxAttempts, Delay = delay, MaxDelay = delay, Factor = 1, Jitter = 0 };

    /// <summary>Attempts in all, the first included. Default is 5; 1 to 10,000.</summary>
    public int MaxAttempts { get; init; } = Defaults.MaxAttempts;

    /// <summary>The wait before the second attempt. Default is 1 second; zero to 30 days.</summary>
    public TimeSpan Delay { get; init; } = Defaults.RetryDelay;

    /// <summary>The longest wait. Default is 1 hour; at least <see cref="Delay"/>, at most 30 days.</summary>
    public TimeSpan MaxDelay { get; init; } = Defaults.MaxRetryDelay;

    /// <summary>What each wait is multiplied by. Default is 2; 1 gives a fixed delay; 1 to 10.</summary>
    public double Factor { get; init; } = 2;

    /// <summary>The part of each wait that is random: 0.25 spreads it over 75 % to 125 %. Default is 0.25; 0 to 1.</summary>
    public double Jitter { get; init; } = 0.25;

    internal void CollectProblems(OptionProblems problems)
    {
        problems.Range(MaxAttempts is < 1 or > 10_000, nameof(MaxAttempts), MaxAttempts, "1 to 10,000");
        problems.Range(Delay < TimeSpan.Zero || Delay > Longest, nameof(Delay), Delay, "zero to 30 days");
        problems.Range(MaxDelay < TimeSpan.Zero || MaxDelay > Longest, nameof(MaxDelay), MaxDelay, "zero to 30 days");
        problems.Range(!(Factor is >= 1 and <= 10), nameof(Factor), Factor, "1 to 10");
        problems.Range(!(Jitter is >= 0 and <= 1), nameof(Jitter), Jitter, "0 to 1");
        if (Delay > MaxDelay)
        {
            problems.Add($"{nameof(Delay)} is {Delay} but {nameof(MaxDelay)} is {MaxDelay}; make the delay shorter");
        }
    }

    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);
}
