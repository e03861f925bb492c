namespace Errand.Running;

/// <summary>How one attempt ended, as a value.</summary>
internal abstract record AttemptOutcome
{
    internal sealed record Succeeded(ReadOnlyMemory<byte> Result) : AttemptOutcome;

    internal sealed record Failed(TaskFailure Failure, Exception Exception) : AttemptOutcome;

    internal sealed record Released : AttemptOutcome;
}
