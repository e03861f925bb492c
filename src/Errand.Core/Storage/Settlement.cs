namespace Errand.Storage;

/// <summary>How an attempt ends, for <see cref="IBackend.SettleAsync"/>. The nested types are all the ways there are.</summary>
public abstract record Settlement
{
    private Settlement()
    {
    }

    /// <summary>The task has succeeded.</summary>
    public sealed record Succeeded : Settlement
    {
        internal static readonly Succeeded WithoutResult = new();

        /// <summary>The result as UTF-8 JSON. Default is empty: none.</summary>
        public ReadOnlyMemory<byte> Result { get; init; }
    }

    /// <summary>The task has failed permanently, whatever attempts are left.</summary>
    public sealed record Failed : Settlement
    {
        /// <summary>The error to keep and show: type, message and stack.</summary>
        public required string Error { get; init; }
    }

    /// <summary>The attempt has failed, and another follows. A task with a pending cancel request is not retried: it ends as cancelled.</summary>
    public sealed record Retried : Settlement
    {
        /// <summary>The error to keep and show: type, message and stack.</summary>
        public required string Error { get; init; }

        /// <summary>How long until the next attempt. Zero is at once.</summary>
        public required TimeSpan After { get; init; }
    }

    /// <summary>The task ends as cancelled, because its handler honored a cancel request.</summary>
    public sealed record Cancelled : Settlement
    {
        /// <summary>The exception that the handler threw, if it was not just a cancellation. Default is null: none.</summary>
        public string? Reason { get; init; }
    }

    /// <summary>The task waits again, and the attempt is not charged. A task with a pending cancel request ends as cancelled instead.</summary>
    public sealed record Snoozed : Settlement
    {
        /// <summary>How long the task waits. Zero is not at all.</summary>
        public required TimeSpan Delay { get; init; }
    }

    /// <summary>
    /// The task goes back to its queue unfinished, and the attempt is not charged. A task with a pending cancel request ends as
    /// cancelled instead.
    /// </summary>
    public sealed record Released : Settlement;
}
