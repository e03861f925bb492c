using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>SQLite's result codes as exceptions that say what happened to which database, and the remedy.</summary>
internal static class SqliteErrors
{
    // https://www.sqlite.org/rescode.html; these extended codes are not among the constants of SQLitePCL.raw.
    private const int IoErrorWrite = raw.SQLITE_IOERR | (3 << 8);

    private const int StaleSnapshot = raw.SQLITE_BUSY | (2 << 8); // SQLITE_BUSY_SNAPSHOT: waiting cannot help.

    internal static bool IsStaleSnapshot(BackendException exception) =>
        exception.InnerException is SqliteErrorException { Code: StaleSnapshot };

    /// <summary>Whether what the file holds is wrong, rather than that it could not be read at this moment.</summary>
    internal static bool IsDamage(BackendException exception) =>
        exception.InnerException is SqliteErrorException { Code: var code } && (code & 0xFF) == raw.SQLITE_CORRUPT;

    internal static BackendException From(int code, string detail, string store)
    {
        var cause = new SqliteErrorException(code, detail);
        if (code == IoErrorWrite)
        {
            // SQLite says so of a quota and of a process's size limit as well as of a disk that fails: they look the
            // same.
            return new BackendFullException(
                $"{store} could not be written: a quota or a size limit is reached, or the disk fails. Nothing was changed; work "
                + "resumes when it can be written.", cause);
        }

        return (code & 0xFF) switch
        {
            raw.SQLITE_BUSY when code == StaleSnapshot => new BackendBusyException(
                $"{store} was written by somebody else since this transaction began to read. Roll it back and begin again; one that "
                + "will write is better begun as a writer (deferred: false).", cause),
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => new BackendBusyException(
                $"{store} is held by another connection. Try again, or end the program that holds it. If this call was made while a "
                + "transaction of your own was open on it, each waited for the other: give that transaction to the call "
                + "(EnqueueOptions.Transaction), and call InitializeAsync before you begin it.", cause),
            raw.SQLITE_FULL => Full(store, cause),
            raw.SQLITE_NOTADB => new NotAnErrandDatabaseException(
                $"{store} is not a SQLite database, or is encrypted. Choose another path; it was not changed.", cause),
            raw.SQLITE_READONLY => new BackendException(
                $"{store} is read-only. Make the file and its folder writable for this user.", false, cause),
            raw.SQLITE_CANTOPEN => new BackendException(
                $"{store} cannot be opened. Check that its folder exists and that this user may write to both.", false, cause),
            raw.SQLITE_CORRUPT => new BackendException(
                $"{store} is damaged. Keep a copy, and restore a backup or recover it with the sqlite3 program.", false, cause),
            raw.SQLITE_IOERR => new BackendException(
                $"{store} could not be read or written. The connection is replaced; look at the disk if this persists.",
                true, cause),
            _ => new BackendException($"{store} refused a statement: {detail}.", false, cause),
        };
    }

    /// <summary>
    /// Whether the connection is to be thrown away: what it holds in memory may differ from the file.
    /// </summary>
    internal static bool SpoilsConnection(BackendException exception) =>
        exception.InnerException is SqliteErrorException { Code: var code }
        && (code & 0xFF) is raw.SQLITE_IOERR or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_CANTOPEN;

    private static BackendFullException Full(string store, SqliteErrorException cause) => new(
        $"{store} has no room: the disk is full, or MaxDatabaseBytes is reached. Nothing was changed; work resumes when there "
        + "is room.", cause);
}
