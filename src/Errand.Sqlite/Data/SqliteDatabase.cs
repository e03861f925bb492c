using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>One connection to one database, and the statements prepared on it. Used by one thread at a time.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    // https://www.sqlite.org/c3ref/c_dbconfig_defensive.html. Without it a rebound LIMIT prepares its statement anew
    // each time.
    private const int EnableQueryPlannerStability = 1007;
    private const int NoCheckpointOnClose = 1006;
    private const int OpenExtendedResultCodes = 0x02000000;

    private readonly sqlite3 _handle;
    private readonly string _store; // As it is named in messages.
    private readonly bool _isBorrowed; // Somebody else closes it.
    private readonly Dictionary<string, SqliteStatement> _statements = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, List<SqliteStatement>> _copies = new(ReferenceEqualityComparer.Instance);
    private long _dataVersion = -1; // Changes when another connection has written; as of the last NoteChange.
    private long _seenVersion = -1; // As of the last look for a change.

    static SqliteDatabase() => Batteries_V2.Init();

    private SqliteDatabase(sqlite3 handle, string store, bool isBorrowed = false)
    {
        _handle = handle;
        _store = store;
        _isBorrowed = isBorrowed;
    }

    internal static string LibraryVersion => raw.sqlite3_libversion().utf8_to_string();

    /// <summary>Opens a file, or <c>:memory:</c>. The path is taken as it is: it is never a URI.</summary>
    internal static SqliteDatabase Open(string path, string store, string? vfs)
    {
        var flags = raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE | raw.SQLITE_OPEN_NOMUTEX | OpenExtendedResultCodes;
        var code = raw.sqlite3_open_v2(path, out var handle, flags, vfs);
        var database = new SqliteDatabase(handle, store);
        if (code != raw.SQLITE_OK)
        {
            var error = database.Error(code);
            database.Dispose();
            throw error;
        }

        raw.sqlite3_db_config(handle, EnableQueryPlannerStability, 1, out _);
        return database;
    }

    /// <summary>Statements on a connection of somebody else's, which stays open.</summary>
    internal static SqliteDatabase Borrow(sqlite3 handle, string store) => new(handle, store, isBorrowed: true);

    /// <summary>The path as SQLite has resolved it; empty for <c>:memory:</c>.</summary>
    internal string FileName => raw.sqlite3_db_filename(_handle, "main").utf8_to_string() ?? "";

    /// <summary>Rows changed by the last insert, update or delete.</summary>
    internal unsafe int Changes => Native.Changes(_handle.DangerousGetHandle());

    /// <summary>
    /// Whether the file was deleted, renamed or replaced since it was opened. False where the system does not let that
    /// happen to an open file (https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html, SQLITE_FCNTL_HAS_MOVED).
    /// </summary>
    internal unsafe bool HasMoved
    {
        get
        {
            const int HasMovedControl = 20;
            var hasMoved = 0;
            fixed (byte* main = "main\0"u8)
            {
                Native.FileControl(_handle.DangerousGetHandle(), main, HasMovedControl, &hasMoved);
            }

            return hasMoved != 0;
        }
    }

    internal bool IsReadOnly => raw.sqlite3_db_readonly(_handle, "main") == 1;

    internal bool IsInTransaction => raw.sqlite3_get_autocommit(_handle) == 0;

    /// <summary>Pages written to the write-ahead log by this connection since this was last asked.</summary>
    internal int TakePagesWritten()
    {
        const int CacheWrite = 9; // SQLITE_DBSTATUS_CACHE_WRITE
        raw.sqlite3_db_status(_handle, CacheWrite, out var pages, out _, resetFlg: 1);
        return pages;
    }

    /// <summary>
    /// Whether another connection has written since the last <see cref="NoteChange"/>; true before the first.
    /// </summary>
    internal bool HasChanged => DataVersion != _dataVersion;

    private long DataVersion => Statement("pragma data_version").Scalar().GetValueOrDefault();

    /// <summary>What others have written is known.</summary>
    internal void NoteChange() => _seenVersion = _dataVersion = DataVersion;

    /// <summary>Whether another connection has written since this was last asked, or <see cref="NoteChange"/> was called.</summary>
    internal bool LookForChange()
    {
        var version = DataVersion;
        var isNew = version != _seenVersion;
        _seenVersion = version;
        return isNew;
    }

    /// <summary>
    /// The statement of a constant: prepared at its first use, then kept. Found by the constant's identity, not its
    /// characters, which would cost more than some of the statements.
    /// </summary>
    internal SqliteStatement Statement(string sql)
    {
        if (!_statements.TryGetValue(sql, out var statement))
        {
            statement = Prepare(sql);
            _statements.Add(sql, statement);
        }

        return statement;
    }

    /// <summary>One of several statements of a constant, for reading several of its answers at the same time; the first is 0.</summary>
    internal SqliteStatement Statement(string sql, int copy)
    {
        if (copy == 0)
        {
            return Statement(sql);
        }

        if (!_copies.TryGetValue(sql, out var copies))
        {
            _copies.Add(sql, copies = []);
        }

        while (copies.Count < copy)
        {
            copies.Add(Prepare(sql));
        }

        return copies[copy - 1];
    }

    /// <summary>After a failure: whatever a statement was in the middle of, it is ready to be run from its beginning.</summary>
    internal void ResetStatements()
    {
        foreach (var statement in _statements.Values.Concat(_copies.Values.SelectMany(copies => copies)))
        {
            statement.Reset();
        }
    }

    /// <summary>Runs one statement that is not worth keeping, such as a pragma.</summary>
    /// <returns>The first column of its first row; null when there is none or it is null.</returns>
    internal long? Scalar(string sql)
    {
        using var statement = Prepare(sql);
        return statement.Scalar();
    }

    /// <summary>Runs one statement that is not worth keeping.</summary>
    /// <returns>The first column of its first row as text; empty when there is none.</returns>
    internal string Text(string sql)
    {
        using var statement = Prepare(sql);
        var text = statement.Step() ? statement.Text(0) : "";
        while (text.Length > 0 && statement.Step())
        {
        }

        return text;
    }

    /// <summary>Runs any number of statements that give no rows worth reading.</summary>
    internal void Execute(string sql)
    {
        var code = raw.sqlite3_exec(_handle, sql);
        if (code != raw.SQLITE_OK)
        {
            throw Error(code);
        }
    }

    internal BackendException Error(int code)
    {
        // An extended code says more where the connection has one for the same error.
        var extended = raw.sqlite3_extended_errcode(_handle);
        var message = raw.sqlite3_errmsg(_handle).utf8_to_string();
        return SqliteErrors.From((extended & 0xFF) == (code & 0xFF) ? extended : code, message, _store);
    }

    /// <summary>Reads the first column of every row as text.</summary>
    internal List<string> Texts(string sql)
    {
        using var statement = Prepare(sql);
        List<string> texts = [];
        while (statement.Step())
        {
            texts.Add(statement.Text(0));
        }

        return texts;
    }

    /// <summary>
    /// When this is the last connection that closes, it leaves the log where it is: who only looks changes no file.
    /// </summary>
    internal void KeepLogOnClose() => raw.sqlite3_db_config(_handle, NoCheckpointOnClose, 1, out _);

    /// <summary>Ends the statement that another thread runs on this connection.</summary>
    internal void Interrupt() => raw.sqlite3_interrupt(_handle);

    /// <summary>
    /// Copies the database page by page into another that is empty. In one state: what this connection reads in is one
    /// transaction, or nobody else can write.
    /// </summary>
    internal void CopyTo(SqliteDatabase copy, int pagesAtATime, Action beforeEachStep)
    {
        var backup = raw.sqlite3_backup_init(copy._handle, "main", _handle, "main");
        if (backup is null || backup.IsInvalid)
        {
            throw copy.Error(raw.SQLITE_ERROR);
        }

        int code;
        using (backup)
        {
            do
            {
                beforeEachStep();
                code = raw.sqlite3_backup_step(backup, pagesAtATime);
            }
            while (code == raw.SQLITE_OK);
        }

        if (code != raw.SQLITE_DONE)
        {
            throw copy.Error(code);
        }
    }

    public void Dispose()
    {
        foreach (var statement in _statements.Values.Concat(_copies.Values.SelectMany(copies => copies)))
        {
            statement.Dispose();
        }

        _statements.Clear();
        _copies.Clear();
        if (!_isBorrowed)
        {
            _handle.Dispose();
        }
    }

    private SqliteStatement Prepare(string sql)
    {
        var code = raw.sqlite3_prepare_v3(_handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out var statement);
        return code == raw.SQLITE_OK ? new SqliteStatement(this, statement) : throw Error(code);
    }
}
