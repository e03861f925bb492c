namespace Errand.Storage;

/// <summary>What becomes of a task whose attempt has ended.</summary>
public abstract record Settlement
{
    private Settlement()
    {
    }

    /// <summary>The task has succeeded.</summary>
    public sealed record Succeeded : Settlement
    {
        /// <summary>The result as UTF-8 JSON; empty for none.</summary>
        public ReadOnlyMemory<byte> Result { get; init; }
    }

    /// <summary>The task has failed permanently.</summary>
    public sealed record Failed : Settlement
    {
        /// <summary>The error.</summary>
        public required string Error { get; init; }
    }

    /// <summary>The attempt has failed, and the task waits for its next one.</summary>
    public sealed record Retried : Settlement
    {
        /// <summary>The error.</summary>
        public required string Error { get; init; }

        /// <summary>How long the task waits.</summary>
        public required TimeSpan After { get; init; }
    }

    /// <summary>The task ends as cancelled.</summary>
    public sealed record Cancelled : Settlement
    {
        /// <summary>What the handler threw, where it was more than that it was cancelled; null for nothing.</summary>
        public string? Reason { get; init; }
    }

    /// <summary>The task waits and is started again; the attempt is not charged.</summary>
    public sealed record Snoozed : Settlement
    {
        /// <summary>How long the task waits.</summary>
        public required TimeSpan Delay { get; init; }
    }

    /// <summary>The task is released unfinished; the attempt is not charged.</summary>
    public sealed record Released : Settlement;
}
