namespace Errand;

/// <summary>
/// Throw this from a handler to fail its attempt and choose how long to wait for the next. If no attempt is left, the task fails.
/// </summary>
/// <param name="after">How long to wait. A negative time counts as zero, more than 3,650 days as 3,650 days.</param>
/// <param name="message">The error to keep. Default is null: a sentence that gives the wait.</param>
/// <param name="innerException">The cause, kept with its stack. Default is null: none.</param>
public sealed class RetryTaskException(TimeSpan after, string? message = null, Exception? innerException = null)
    : ErrandException(message ?? $"The handler asked to be tried again after {after}.", innerException)
{
    /// <summary>How long to wait for the next attempt.</summary>
    public TimeSpan After { get; } = after;
}
