namespace Errand.Running;

/// <summary>How one attempt ended, as a value.</summary>
internal abstract record AttemptOutcome
{
    /// <summary>What the handler threw; null when it returned.</summary>
    internal virtual Exception? Error => null;

    internal sealed record Succeeded(ReadOnlyMemory<byte> Result) : AttemptOutcome;

    internal sealed record Failed(TaskFailure Failure, Exception Exception) : AttemptOutcome
    {
        internal override Exception Error => Exception;
    }

    /// <summary>The handler settled the task in a transaction of its own, and may have thrown after that.</summary>
    internal sealed record CompletedByHandler(Exception? Exception) : AttemptOutcome
    {
        internal override Exception? Error => Exception;
    }

    /// <summary>The task was to be cancelled, and its handler gave up, perhaps with an error of its own.</summary>
    internal sealed record Cancelled(Exception? Exception) : AttemptOutcome;

    internal sealed record Snoozed(TimeSpan Delay) : AttemptOutcome;

    internal sealed record Released : AttemptOutcome;
}
