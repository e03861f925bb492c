using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;
using SQLitePCL;

namespace Errand.Sqlite;

/// <summary>The write-ahead log of a file: when commits are synced, and how the log is kept short.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>A log that a reader holds back beyond this is reported, once each time that it doubles.</summary>
    private const long LogWarningBytes = 256L * 1024 * 1024;

    private static readonly TimeSpan SyncInterval = TimeSpan.FromMilliseconds(900); // A second, less the time of the sync.

    private SqliteDatabase? _checkpoints; // A second connection, for checkpoints alone.
    private long _pagesInLog;
    private long _nextLogWarning = LogWarningBytes;
    private bool _commitsAreSynced; // Whether the connection is under FULL at this moment; Relaxed only.
    private bool _logIsDoubtful; // A sync of it may have failed.
    private bool _syncOwed; // The next commit must be a synced one.
    private long? _unsyncedSince; // When the oldest commit was made that may not be on the disk; Relaxed only.

    // language=sqlite
    private const string CarrySyncSql = "update counters set syncs = syncs + 1";

    /// <summary>
    /// Nobody has written for a while: a small write carries the sync that is owed. It must change something: SQLite writes no
    /// page, and syncs nothing, for an update to the same value.
    /// </summary>
    private void CarrySync() => Database.Statement(CarrySyncSql).Execute();

    /// <summary>
    /// Relaxed keeps its bound of a second by one rule: a turn that comes when something has been unsynced for that long commits
    /// under FULL, and its sync covers everything in the log before it.
    /// </summary>
    private void SyncIfOwed()
    {
        if (_options.Durability == Durability.Full || _store.IsMemory)
        {
            return;
        }

        var owed = _syncOwed || (_unsyncedSince is { } since && Passed(_time.GetElapsedTime(since), SyncInterval));
        if (owed != _commitsAreSynced)
        {
            _store.SetSynchronous(Database, owed ? Durability.Full : Durability.Relaxed);
            _commitsAreSynced = owed;
        }

        _syncOwed = false;
    }

    /// <summary>
    /// After a sync that failed, systems count as written what was not, and no later sync covers it. A commit in the midst of the log
    /// may be gone after a power cut, and with it all that comes after. So the log's pages are moved to the database, and the next
    /// synced commit begins it anew: under Full before anything more is acknowledged, under Relaxed soon.
    /// </summary>
    private void DistrustLog()
    {
        _logIsDoubtful = true;
        _pagesInLog = _options.CheckpointPages;
    }

    // language=sqlite
    private const string CheckpointSql = "pragma wal_checkpoint(passive)";

    /// <summary>The database was opened again, and its log may have a hole.</summary>
    private void EmptyDoubtfulLog()
    {
        if (!_logIsDoubtful || _options.Durability == Durability.Relaxed)
        {
            return;
        }

        _checkpoints ??= _store.OpenForCheckpoints();
        Begin();
        try
        {
            var log = _checkpoints.Statement(CheckpointSql);
            var isEmptied = log.Step() && log.Int64(1) == log.Int64(2);
            log.Reset();
            _logIsDoubtful = !isEmptied;
        }
        finally
        {
            Database.Statement("rollback").Execute();
        }

        if (_logIsDoubtful)
        {
            throw new BackendException(
                $"{_store.Name}: a sync of its log has failed, and a reader keeps the log from being emptied. Nothing can be promised "
                + "until that reader has ended.", isTransient: true, null);
        }
    }

    private void NoteCommit()
    {
        if (_store.IsMemory)
        {
            return;
        }

        var pages = Database.TakePagesWritten();
        _pagesInLog += pages;
        if (pages > 0 && _options.Durability == Durability.Relaxed)
        {
            _unsyncedSince = _commitsAreSynced ? null : _unsyncedSince ?? _time.GetTimestamp();
        }
    }

    /// <summary>
    /// Moves the log's pages to the database. Never but like this: with the write lock held by the writer, on a second
    /// connection, PASSIVE, because the library may have the WAL-reset bug (https://www.sqlite.org/wal.html#walresetbug), which
    /// needs a writer and a checkpoint at the same moment.
    /// </summary>
    private void Checkpoint()
    {
        _checkpoints ??= _store.OpenForCheckpoints();
        Begin();
        try
        {
            _options.Reached?.Invoke(EnginePoint.Checkpoint);
            _checkpoints.Scalar("pragma wal_checkpoint(passive)");
        }
        finally
        {
            Database.Statement("rollback").Execute();
        }

        _pagesInLog = 0;
        if (_logIsDoubtful)
        {
            _logIsDoubtful = false;
            _unsyncedSince = 0; // Overdue.
        }

        var bytes = LogBytes();
        if (bytes >= _nextLogWarning)
        {
            Log.LogHeldBack(_logger, _store.Path, bytes);
            _nextLogWarning = bytes * 2;
        }
    }

    private long LogBytes()
    {
        var log = new FileInfo(_store.Path + "-wal");
        return !_store.IsMemory && log.Exists ? log.Length : 0;
    }

    private void WarnOfLibrary()
    {
        if (!_store.IsMemory && WalResetBug.IsIn(raw.sqlite3_libversion_number()))
        {
            Log.LibraryInRange(_logger, SqliteDatabase.LibraryVersion, _store.Path);
        }
    }
}
