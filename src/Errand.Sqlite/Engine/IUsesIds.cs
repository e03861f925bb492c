namespace Errand.Sqlite.Engine;

/// <summary>An operation that needs task ids; the writer takes them before the turn's transaction begins.</summary>
internal interface IUsesIds
{
    /// <summary>How many new ids it takes from the session's block.</summary>
    int NewIds => 0;

    /// <summary>How many ids must be kept ready for callers' transactions.</summary>
    int SpareIds => 0;
}
