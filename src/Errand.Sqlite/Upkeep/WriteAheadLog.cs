using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace Errand.Sqlite.Upkeep;

/// <summary>The write-ahead log of a file: when commits are synced, and how the log is kept short.</summary>
internal sealed class WriteAheadLog(SqliteStore store, SqliteBackendOptions options, ILogger logger) : Part<Turn>
{
    /// <summary>A log that a reader holds back beyond this is reported, once each time that it doubles.</summary>
    private const long LogWarningBytes = 256L * 1024 * 1024;

    private static readonly TimeSpan SyncInterval = TimeSpan.FromMilliseconds(900); // A second, less the time of the sync.

    private readonly TimeProvider _time = options.TimeProvider;
    private SqliteDatabase? _checkpoints; // A second connection, for checkpoints alone.
    private long _pagesInLog;
    private long _nextLogWarning = LogWarningBytes;
    private bool _commitsAreSynced; // Whether the connection is under FULL at this moment; Relaxed only.
    private bool _isDoubtful; // A sync of it may have failed.
    private bool _isSyncOwed; // The next commit must be a synced one; Relaxed only.
    private long? _unsyncedSince; // When the oldest commit was made that may not be on the disk; Relaxed only.

    internal override Moments Hears => Moments.Doubted | Moments.Plan | Moments.Upkeep | Moments.Tidy;

    internal override bool NeedsStore => _unsyncedSince is not null;

    internal override bool WorksOutdated => true;

    private bool IsRelaxed => options.Durability == Durability.Relaxed && !store.IsMemory;

    private bool IsOverdue => _unsyncedSince is { } since && _time.GetElapsedTime(since) >= SyncInterval;

    internal override void Doubted(Doubt why)
    {
        if (why == Doubt.Opened)
        {
            _commitsAreSynced = false;
            WarnOfLibrary();
        }
    }

    /// <summary>The next commit is synced whatever the durability.</summary>
    internal void OweSync() => _isSyncOwed = IsRelaxed;

    /// <summary>
    /// Relaxed keeps its bound of a second by one rule: a turn that comes when something has been unsynced for that
    /// long commits under FULL, and its sync covers everything in the log before it.
    /// </summary>
    internal void BeforeBegin(SqliteDatabase database)
    {
        if (!IsRelaxed)
        {
            return;
        }

        var isOwed = _isSyncOwed || IsOverdue;
        if (isOwed != _commitsAreSynced)
        {
            store.SetSynchronous(database, isOwed ? Durability.Full : Durability.Relaxed);
            _commitsAreSynced = isOwed;
        }

        _isSyncOwed = false;
    }

    internal void NoteCommit(SqliteDatabase database)
    {
        if (store.IsMemory)
        {
            return;
        }

        var pages = database.TakePagesWritten();
        _pagesInLog += pages;
        if (pages > 0 && IsRelaxed)
        {
            _unsyncedSince = _commitsAreSynced ? null : _unsyncedSince ?? _time.GetTimestamp();
        }
    }

    /// <summary>The disk is full: an empty log is the room that can be made here.</summary>
    internal void Shorten() => _pagesInLog = options.CheckpointPages;

    /// <summary>
    /// After a sync that failed, systems count as written what was not, and no later sync covers it. A commit in the
    /// middle of the log may be gone after a power cut, and with it everything that comes after. So the log's pages are
    /// moved to the database, and the next synced commit begins it anew: under Full before anything more is
    /// acknowledged, under Relaxed soon.
    /// </summary>
    internal void Distrust()
    {
        _isDoubtful = true;
        Shorten();
    }

    // language=sqlite
    private const string CheckpointSql = "pragma wal_checkpoint(passive)";

    /// <summary>The database was opened again, and its log may have a hole.</summary>
    /// <exception cref="BackendException">A reader keeps the log from being emptied.</exception>
    internal void EmptyIfDoubtful(SqliteDatabase database)
    {
        if (!_isDoubtful || IsRelaxed)
        {
            return;
        }

        _checkpoints ??= store.OpenForCheckpoints();
        store.BeginWriting(database);
        try
        {
            var log = _checkpoints.Statement(CheckpointSql);
            var isEmptied = log.Step() && log.Int64(1) == log.Int64(2);
            log.Reset();
            _isDoubtful = !isEmptied;
        }
        finally
        {
            database.Statement("rollback").Execute();
        }

        if (_isDoubtful)
        {
            throw new BackendException(
                $"{store.Name}: a sync of its log has failed, and a reader keeps the log from being emptied. Nothing can be promised "
                + "until that reader has ended.", isTransient: true, null);
        }
    }

    internal override void Plan(Agenda agenda)
    {
        if (_unsyncedSince is { } unsynced)
        {
            agenda.Every(SyncInterval, unsynced);
        }
    }

    internal override Action<Turn>? Upkeep(Turn reader, long now) => IsOverdue ? CarrySync : null;

    // language=sqlite
    private const string CarrySyncSql = "update errand_counters set syncs = syncs + 1";

    /// <summary>
    /// Nobody has written for a while: a small write carries the sync that is owed. It must change something: SQLite
    /// writes no page, and syncs nothing, for an update to the same value.
    /// </summary>
    private static void CarrySync(Turn turn) => turn.Statement(CarrySyncSql).Execute();

    internal override ValueTask TidyAsync(Turn? reader)
    {
        if (reader is not null && _pagesInLog >= options.CheckpointPages)
        {
            Checkpoint(reader.Database);
        }

        return default;
    }

    /// <summary>
    /// Moves the log's pages to the database. Never but like this: with the write lock held by the writer, on a second
    /// connection, PASSIVE, because the library may have the WAL-reset bug
    /// (https://www.sqlite.org/wal.html#walresetbug), which needs a writer and a checkpoint at the same moment.
    /// </summary>
    private void Checkpoint(SqliteDatabase database)
    {
        _checkpoints ??= store.OpenForCheckpoints();
        BeforeBegin(database);
        store.BeginWriting(database);
        try
        {
            options.Reached?.Invoke(EnginePoint.Checkpoint);
            _checkpoints.Scalar(CheckpointSql);
        }
        finally
        {
            database.Statement("rollback").Execute();
        }

        _pagesInLog = 0;
        if (_isDoubtful)
        {
            _isDoubtful = false;
            _unsyncedSince = 0; // Overdue.
        }

        var bytes = store.LogBytes;
        if (bytes >= _nextLogWarning)
        {
            Log.LogHeldBack(logger, store.Path, bytes);
            _nextLogWarning = bytes * 2;
        }
    }

    /// <summary>The connection that writes is closed, and this one with it.</summary>
    internal void CloseConnection()
    {
        _checkpoints?.Dispose();
        _checkpoints = null;
    }

    private void WarnOfLibrary()
    {
        if (!store.IsMemory && WalResetBug.IsIn(raw.sqlite3_libversion_number()))
        {
            Log.LibraryInRange(logger, SqliteDatabase.LibraryVersion, store.Path);
        }
    }
}
