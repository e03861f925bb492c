namespace Errand.Sqlite.Engine;

/// <summary>Moments inside the engine at which a crash would be most telling.</summary>
internal enum EnginePoint
{
    /// <summary>A turn's changes are made, and about to be committed.</summary>
    Commit,

    /// <summary>The log's pages are about to be moved to the database.</summary>
    Checkpoint,

    /// <summary>The schema has been changed, and nothing committed.</summary>
    Migration,

    /// <summary>Some pages of a backup are about to be copied: on the writer thread in memory alone.</summary>
    Backup,
}
