namespace Errand.PostgreSql.Engine;

/// <summary>The order within a turn: what frees comes before what fills, so that a freed worker gets the newest task.</summary>
internal enum TurnPart
{
    /// <summary>Word to the loop itself, such as that a caller waits for tasks. Needs no database.</summary>
    Note,

    /// <summary>Workers that begin and end; tasks that are settled; housekeeping.</summary>
    Settle,

    /// <summary>New tasks.</summary>
    Enqueue,

    /// <summary>Reads: after the commit, and in no transaction.</summary>
    Read,
}
