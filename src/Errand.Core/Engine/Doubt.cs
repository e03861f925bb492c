namespace Errand.Engine;

/// <summary>Why what a part remembers may be untrue.</summary>
internal enum Doubt
{
    /// <summary>The store was opened, perhaps another one than before.</summary>
    Opened,

    /// <summary>Others may have written: what waits for their work should look, when a turn is taken for it.</summary>
    Polled,

    /// <summary>Others have written since the last turn, as seen inside a transaction.</summary>
    OthersWrote,

    /// <summary>The transaction was rolled back.</summary>
    RolledBack,

    /// <summary>The transaction was to be committed, and nobody knows whether it was.</summary>
    OutcomeUnknown,
}
