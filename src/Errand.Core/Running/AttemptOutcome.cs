namespace Errand.Running;

/// <summary>How one attempt ended, as a value.</summary>
/// <param name="Settlement">
/// The settlement to write. Null if the handler settled the task in a transaction of its own, and may have thrown after that.
/// </param>
/// <param name="Exception">The handler's exception; null if it returned, or if it was only cancelled.</param>
internal readonly record struct AttemptOutcome(Settlement? Settlement, Exception? Exception = null)
{
    /// <summary>What the handler threw, as it was: also a cancellation or a snooze. Null if it returned.</summary>
    internal Exception? Thrown { get; init; }

    /// <summary>The exception, if it counts as a failure: a handler may throw anything once its token is cancelled.</summary>
    internal Exception? Error => Settlement is Settlement.Cancelled or Settlement.Released ? null : Exception;
}
