using System.Globalization;
using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>
/// Where a database is, and how it is opened: checked before it is touched, created and migrated where needed.
/// </summary>
internal sealed class SqliteStore
{
    private readonly SqliteBackendOptions _options;
    private volatile bool _isHeldUp; // Written by the writer, read by anybody.
    private FileIdentity? _identity; // Of the file that was opened first. The writer's alone, as the next two.
    private DatabaseReplacedException? _replaced; // Once it was, this backend is of no use any more.
    private long _logSeenAt;

    internal SqliteStore(string path, SqliteBackendOptions options)
    {
        _options = options;
        IsMemory = path == ":memory:";
        Path = IsMemory ? path : System.IO.Path.GetFullPath(path);
        Name = IsMemory ? "The database :memory:" : $"The database '{Path}'";
        Schema = new Schema(Name, options.Migrations);
    }

    internal Schema Schema { get; }

    internal bool IsMemory { get; }

    /// <summary>A page of 4 KiB, as databases have by default, with its header in the log.</summary>
    internal const long BytesOfFrame = 4_096 + 24;

    /// <summary>How often at most it is seen to that the log is there.</summary>
    private static readonly TimeSpan LogLook = TimeSpan.FromMilliseconds(100);

    /// <summary>The full path of the file, or <c>:memory:</c>.</summary>
    internal string Path { get; }

    /// <summary>
    /// The path as SQLite has resolved it; null until the file was first opened. Written by the writer, read by
    /// anybody.
    /// </summary>
    internal string? FileName { get; private set; }

    /// <summary>
    /// Where the file is, symbolic links resolved as SQLite has resolved them when it was first opened: one that points
    /// elsewhere later changes nothing. Every file beside the database is found from here.
    /// </summary>
    internal string Location => FileName ?? Path;

    /// <summary>As it is named in messages.</summary>
    internal string Name { get; }

    /// <summary>For how long in all the writer has waited for others that held the file. The writer's alone.</summary>
    internal TimeSpan HeldUp { get; private set; }

    /// <summary>Whether the writer waits at this moment for somebody else who holds the file.</summary>
    internal bool IsHeldUp => _isHeldUp;

    /// <summary>The size of the write-ahead log; 0 in memory.</summary>
    internal long LogBytes
    {
        get
        {
            var log = new FileInfo(Location + "-wal");
            return !IsMemory && log.Exists ? log.Length : 0;
        }
    }

    /// <summary>Opens the connection that writes, and brings the schema up to date.</summary>
    /// <param name="wasOpen">
    /// Whether this backend has had it open before: then a schema that has been upgraded meanwhile is no error, since
    /// this backend may have tasks to finish.
    /// </param>
    internal SqliteDatabase Open(bool wasOpen)
    {
        if (!IsMemory)
        {
            CheckIsSame();
            CheckPath();
        }

        var database = SqliteDatabase.Open(Location, Name, _options.Vfs);
        try
        {
            Prepare(database, wasOpen);
            FileName = database.FileName;
            _identity ??= IsMemory ? null : FileIdentity.Of(FileName);
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Whether the file that is open is still the one at its path, and its log with it: else what is committed goes
    /// where nobody will look for it.
    /// </summary>
    /// <exception cref="DatabaseReplacedException">It is not; or it was not at an earlier time.</exception>
    internal void CheckIsThere(SqliteDatabase database)
    {
        if (IsMemory)
        {
            return;
        }

        var hasMoved = _replaced is not null || database.HasMoved;
        if (!hasMoved && _options.Vfs is null && TimeProvider.System.GetElapsedTime(_logSeenAt) >= LogLook)
        {
            _logSeenAt = TimeProvider.System.GetTimestamp();
            hasMoved = !File.Exists(Location + "-wal");
        }

        if (hasMoved)
        {
            throw Replaced();
        }
    }

    /// <summary>Before the file is opened again: it must be the one that was opened first.</summary>
    private void CheckIsSame()
    {
        if (_replaced is not null
            || (FileName is not null && _options.Vfs is null && !File.Exists(FileName))
            || (_identity is { } first && FileIdentity.Of(FileName!)?.IsSameAs(first) == false))
        {
            throw Replaced();
        }
    }

    private DatabaseReplacedException Replaced() => _replaced ??= new DatabaseReplacedException(
        $"{Name} or its log was deleted, moved or replaced while it was open. Nothing is read or written any more. Stop every "
        + "program that uses it, put the right file in its place (a backup without files ending in -wal and -shm beside it), and start them again.");

    /// <summary>Begins a transaction that writes, by default with patience for others that write at this moment.</summary>
    /// <exception cref="BackendBusyException">Somebody else held the file, with patience for longer than the busy timeout.</exception>
    internal void BeginWriting(SqliteDatabase database, bool isPatient = true)
    {
        if (!isPatient)
        {
            database.Statement("begin immediate").Execute();
            return;
        }

        if (TryBeginWriting(database))
        {
            return;
        }

        var patience = new BusyPatience(_options, _options.Random);
        _isHeldUp = true;
        try
        {
            while (patience.Wait())
            {
                if (TryBeginWriting(database))
                {
                    return;
                }
            }

            database.Statement("begin immediate").Execute(); // For its error.
        }
        finally
        {
            _isHeldUp = false;
            HeldUp += patience.Waited;
        }
    }

    private static bool TryBeginWriting(SqliteDatabase database)
    {
        try
        {
            database.Statement("begin immediate").Execute();
            return true;
        }
        catch (BackendBusyException)
        {
            return false; // Somebody else writes at this moment.
        }
    }

    /// <summary>Opens a second connection to a file, for checkpoints.</summary>
    internal SqliteDatabase OpenForCheckpoints()
    {
        var database = SqliteDatabase.Open(Location, Name, _options.Vfs);
        database.Scalar("pragma wal_autocheckpoint = 0");
        return database;
    }

    /// <summary>Opens a connection to the file that is open, for reads alone.</summary>
    internal SqliteDatabase OpenForReads()
    {
        CheckIsSame();
        var database = SqliteDatabase.Open(Location, Name, _options.Vfs);
        try
        {
            database.KeepLogOnClose();
            database.Scalar("pragma wal_autocheckpoint = 0");
            database.Execute("pragma temp_store = memory; pragma trusted_schema = off; pragma cell_size_check = on; pragma query_only = on");
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens a second connection to a file that is there, which only looks, in a snapshot that lasts as long as the
    /// connection. It is opened by itself: a file that the writer could not work with can still be looked at.
    /// </summary>
    internal SqliteDatabase OpenSnapshot()
    {
        if (!File.Exists(Location))
        {
            throw new BackendException($"{Name} does not exist; there is nothing to read.");
        }

        var database = SqliteDatabase.Open(Location, Name, _options.Vfs);
        try
        {
            database.KeepLogOnClose();
            database.Scalar("pragma wal_autocheckpoint = 0");
            database.Execute("pragma temp_store = memory; pragma trusted_schema = off; pragma cell_size_check = on; pragma query_only = on");
            Patiently(() => Schema.Identify(database), new Random());
            Patiently(() => BeginSnapshot(database), new Random());
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private void BeginSnapshot(SqliteDatabase database)
    {
        database.Execute("begin");
        try
        {
            if (Schema.Identify(database) == 0)
            {
                throw new BackendException($"{Name} has no tables of Errand; there is nothing to read.");
            }
        }
        catch
        {
            database.Execute("rollback");
            throw;
        }
    }

    /// <summary>
    /// How long the file of the log may stay when the log begins again at its start: one large transaction does not
    /// leave it long.
    /// </summary>
    /// <param name="database">The connection that writes.</param>
    /// <param name="bytes">Default is null: what lies between two checkpoints.</param>
    internal void LimitLog(SqliteDatabase database, long? bytes = null) => database.Scalar(string.Create(
        CultureInfo.InvariantCulture, $"pragma journal_size_limit = {bytes ?? _options.CheckpointPages * BytesOfFrame}"));

    /// <summary>Sets how commits are synced, and makes sure that it was understood.</summary>
    internal void SetSynchronous(SqliteDatabase database, Durability durability)
    {
        var level = LevelOf(durability);
        database.Execute(level == 2 ? "pragma synchronous = full" : "pragma synchronous = normal");
        if (database.Scalar("pragma synchronous") != level)
        {
            throw new BackendException($"{Name} did not accept synchronous = {level}; its durability cannot be promised.");
        }
    }

    /// <summary>
    /// Sees that a caller's connection keeps what the backend promises. Where the library has the WAL-reset bug, it
    /// leaves the log to the backend's own checkpoints; otherwise it keeps making its own.
    /// </summary>
    internal void CheckDurability(SqliteDatabase database)
    {
        if (WalResetBug.IsIn(raw.sqlite3_libversion_number()))
        {
            database.Scalar("pragma wal_autocheckpoint = 0");
        }

        var level = database.Scalar("pragma synchronous");
        if (level < LevelOf(_options.Durability))
        {
            throw new InvalidOperationException(
                $"The transaction's connection has synchronous = {level}, but the backend promises Durability.{_options.Durability}. "
                + $"Execute 'pragma synchronous = {LevelOf(_options.Durability)}' on it before the transaction begins.");
        }
    }

    private static int LevelOf(Durability durability) => durability == Durability.Full ? 2 : 1;

    private void CheckPath()
    {
        if (Directory.Exists(Path))
        {
            throw new BackendException($"{Name} is a directory. Give the path of a file in it.");
        }

        var folder = System.IO.Path.GetDirectoryName(Path);
        if (!Directory.Exists(folder))
        {
            throw new BackendException($"{Name} cannot be opened: its folder does not exist. Create '{folder}' first.");
        }

        var file = Target(); // SQLite creates the target of a link as well.
        if (!OperatingSystem.IsWindows() && !File.Exists(file))
        {
            CreateForOwnerOnly(file);
        }
        else if (FileIdentity.Of(file) is { Names: > 1 } shared)
        {
            throw new BackendException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Name} is a file with {shared.Names} names (hard links). A program that opens it by another name uses another log, "
                + $"and the database is damaged. Remove the other names, or give the backend a copy; it was not changed."));
        }
    }

    private string Target()
    {
        try
        {
            var file = new FileInfo(Path);
            return file.LinkTarget is null ? Path : file.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path;
        }
        catch (IOException e)
        {
            throw new BackendException($"{Name} cannot be opened: {e.Message}", false, e); // Links that lead in a circle.
        }
    }

    /// <summary>
    /// Payloads may hold secrets: nobody else may read the file. SQLite gives its log and index the same mode. A file
    /// that is there already is never opened here: closing it would drop SQLite's own locks in this process
    /// (https://www.sqlite.org/howtocorrupt.html §2.2).
    /// </summary>
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private void CreateForOwnerOnly(string path)
    {
        try
        {
            new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }).Dispose();
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process was first.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackendException($"{Name} cannot be created: {e.Message}", false, e);
        }
    }

    private void Prepare(SqliteDatabase database, bool wasOpen)
    {
        if (!wasOpen)
        {
            Patiently(() => Schema.Identify(database));
        }

        if (database.IsReadOnly)
        {
            throw new BackendException(
                $"{Name} is read-only. Make the file and its folder writable for this user; it was not changed.");
        }

        database.Execute("pragma temp_store = memory; pragma trusted_schema = off; pragma cell_size_check = on");
        if (_options.MaxDatabaseBytes is { } bytes)
        {
            var pages = bytes / database.Scalar("pragma page_size")!.Value;
            database.Scalar(string.Create(CultureInfo.InvariantCulture, $"pragma max_page_count = {pages}"));
        }

        // Takes effect only in a database that has no tables yet.
        Patiently(() => database.Execute("pragma auto_vacuum = incremental"));
        if (!IsMemory)
        {
            Patiently(() => SwitchToLog(database));
            database.Scalar("pragma wal_autocheckpoint = 0");
            LimitLog(database);
            SetSynchronous(database, Durability.Full);
        }

        if (!wasOpen || Schema.Newer(database) is null)
        {
            Patiently(() => Schema.Migrate(database, () => _options.Reached?.Invoke(EnginePoint.Migration)));
        }

        if (!IsMemory)
        {
            SetSynchronous(database, _options.Durability);
        }
    }

    private void SwitchToLog(SqliteDatabase database)
    {
        if (database.Text("pragma journal_mode = wal") is var mode && mode != "wal")
        {
            throw new BackendException(
                $"{Name} cannot have a write-ahead log (it keeps journal_mode = {mode}), as on some network file systems. Choose a "
                + "path on a disk of this machine.");
        }
    }

    /// <summary>
    /// Runs <paramref name="step"/> again while another program holds the file, for the busy timeout at most.
    /// </summary>
    private void Patiently(Action step, Random? random = null)
    {
        var patience = new BusyPatience(_options, random ?? _options.Random);
        while (true)
        {
            try
            {
                step();
                return;
            }
            catch (BackendBusyException)
            {
                if (!patience.Wait())
                {
                    throw;
                }
            }
        }
    }
}
