namespace Errand.Engine;

/// <summary>Why what a part remembers may be untrue.</summary>
internal enum Doubt
{
    /// <summary>The store was opened, perhaps another one than before.</summary>
    Opened,

    /// <summary>Another connection may have written since the last turn.</summary>
    OthersWrote,

    /// <summary>The transaction was rolled back.</summary>
    RolledBack,

    /// <summary>The transaction was to be committed, and nobody knows whether it was.</summary>
    OutcomeUnknown,
}
