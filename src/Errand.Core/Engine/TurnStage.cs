namespace Errand.Engine;

/// <summary>
/// The order within a turn: what frees comes before what fills, so that a freed worker gets the newest task.
/// </summary>
internal enum TurnStage
{
    /// <summary>Word to the writer itself, such as that a worker waits for tasks. Needs no store.</summary>
    Note,

    /// <summary>Workers that begin, beat and end; tasks that are settled; housekeeping.</summary>
    Settle,

    /// <summary>New tasks.</summary>
    Enqueue,

    /// <summary>Reads: after the commit, and outside the transaction.</summary>
    Read,
}
