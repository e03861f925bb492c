namespace Errand.Sqlite.Data;

/// <summary>
/// The WAL-reset bug of SQLite: a writer and a checkpoint at the same moment can damage a file
/// (https://www.sqlite.org/wal.html#walresetbug). The bundled library does not have it; a library that the application
/// brings may.
/// </summary>
internal static class WalResetBug
{
    /// <summary>
    /// Whether a release of SQLite has the bug: every release with a write-ahead log (3.7.0) before 3.51.3, except for
    /// the fixes in the branches 3.44 and 3.50.
    /// </summary>
    /// <param name="version">As <c>sqlite3_libversion_number</c> returns it: 3051003 for 3.51.3.</param>
    internal static bool IsIn(int version) => version switch
    {
        < 3_007_000 or >= 3_051_003 => false,
        >= 3_044_006 and < 3_045_000 => false,
        >= 3_050_007 and < 3_051_000 => false,
        _ => true,
    };
}
