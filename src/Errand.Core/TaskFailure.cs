namespace Errand;

/// <summary>How an attempt failed.</summary>
/// <param name="Error">What is kept and shown: type, message and stack.</param>
/// <param name="RetryAfter">How long until the next attempt; null when the task has failed for good.</param>
public sealed record TaskFailure(string Error, TimeSpan? RetryAfter);
