namespace Errand;

/// <summary>
/// Thrown by a handler to fail its attempt and say itself how long to wait for the next. When no attempt is left, the task has failed.
/// </summary>
/// <param name="after">How long to wait. Less than zero counts as zero, more than 3,650 days as that.</param>
/// <param name="message">What is kept as the error. Default is null: a sentence that says so.</param>
/// <param name="innerException">The cause, kept with its stack. Default is null: none.</param>
public sealed class RetryTaskException(TimeSpan after, string? message = null, Exception? innerException = null)
    : Exception(message ?? $"The handler asked to be tried again after {after}.", innerException)
{
    /// <summary>How long to wait for the next attempt.</summary>
    public TimeSpan After { get; } = after;
}
