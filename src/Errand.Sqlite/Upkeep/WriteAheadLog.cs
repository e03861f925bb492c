using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace Errand.Sqlite.Upkeep;

/// <summary>The write-ahead log of a file: when commits are synced, and how the log is kept short.</summary>
internal sealed class WriteAheadLog(SqliteStore store, SqliteBackendOptions options, ILogger logger) : Part<Turn>
{
    /// <summary>A log that a reader holds back beyond this is reported, once each time that it doubles.</summary>
    private const long LogWarningBytes = 256L * 1024 * 1024;

    /// <summary>A log that is as short as this is left alone when it is quiet.</summary>
    private const long ShortBytes = 1024 * 1024;

    private static readonly TimeSpan SizeLook = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Nap = TimeSpan.FromMilliseconds(1);

    /// <summary>For a reader that keeps a log from being emptied which cannot be trusted: nobody writes to the file meanwhile.</summary>
    private static readonly TimeSpan ReaderPatience = TimeSpan.FromSeconds(1);

    /// <summary>After that long without a commit the log is emptied.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan SyncInterval = TimeSpan.FromMilliseconds(900); // A second, less the time of the sync.

    private readonly TimeProvider _time = options.TimeProvider;
    private SqliteDatabase? _checkpoints; // A second connection, for checkpoints alone.
    private readonly LogPresses _presses = new();
    private long _pagesInLog; // Written by this connection since the last checkpoint.
    private long _framesInLog; // By anybody, at the last checkpoint.
    private long _sizeSeen; // Bytes of the file, after the last checkpoint.
    private long _sizeSeenAt;
    private long _lastCommit;
    private bool _isShort = true; // Nothing was committed since it was emptied, or left alone.
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
        if (pages > 0)
        {
            _lastCommit = _time.GetTimestamp();
            _isShort = false;
        }

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

        store.BeginWriting(database);
        try
        {
            _isDoubtful = !MovePages(ReaderPatience);
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

    /// <summary>The log is to be moved to the database, which takes time, and patience while readers hold it back.</summary>
    internal bool IsLong => IsFull || IsHeldBack;

    private bool IsFull => _pagesInLog >= options.CheckpointPages;

    private bool IsHeldBack => _framesInLog >= 2 * options.CheckpointPages;

    internal override void Plan(Agenda agenda)
    {
        if (_unsyncedSince is { } unsynced)
        {
            agenda.Every(SyncInterval, unsynced);
        }

        if (!_isShort)
        {
            agenda.Every(Quiet, _lastCommit);
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
        if (reader is null || store.IsMemory)
        {
            return default;
        }

        if (IsFull || HasGrown())
        {
            Checkpoint(reader.Database);
        }

        if (IsHeldBack && _presses.IsDue)
        {
            Press(reader.Database);
        }

        if (!_isShort && _time.GetElapsedTime(_lastCommit) >= Quiet)
        {
            _isShort = true;
            if (store.LogBytes > ShortBytes)
            {
                Empty(reader.Database);
                _isShort = true; // Or a reader holds it back: it is tried again after the next commit.
            }
        }

        return default;
    }

    /// <summary>
    /// Whether the file has grown beyond what the last checkpoint found: callers' transactions and other programs write
    /// to it as well.
    /// </summary>
    private bool HasGrown()
    {
        if (_time.GetElapsedTime(_sizeSeenAt) < SizeLook)
        {
            return false;
        }

        _sizeSeenAt = _time.GetTimestamp();
        var bytes = store.LogBytes;
        return bytes > _sizeSeen && bytes >= options.CheckpointPages * SqliteStore.BytesOfFrame;
    }

    /// <summary>
    /// Moves the log's pages to the database. Never but like this: with the write lock held by the writer, on a second
    /// connection, PASSIVE, because the library may have the WAL-reset bug
    /// (https://www.sqlite.org/wal.html#walresetbug), which needs a writer and a checkpoint at the same moment.
    /// </summary>
    private void Checkpoint(SqliteDatabase database)
    {
        BeforeBegin(database);
        store.BeginWriting(database);
        try
        {
            options.Reached?.Invoke(EnginePoint.Checkpoint);
            MovePages();
        }
        finally
        {
            database.Statement("rollback").Execute();
        }

        _pagesInLog = 0;
        _sizeSeen = store.LogBytes;
        if (_isDoubtful)
        {
            _isDoubtful = false;
            _unsyncedSince = 0; // Overdue.
        }
    }

    /// <returns>Whether the database has everything that the log has.</returns>
    private bool MovePages()
    {
        _checkpoints ??= store.OpenForCheckpoints();
        var log = _checkpoints.Statement(CheckpointSql);
        log.Step();
        var isOther = log.Int64(0) != 0; // Another program makes a checkpoint at this moment, and nothing is said.
        var (frames, moved) = (log.Int64(1), log.Int64(2));
        log.Reset();
        _framesInLog = isOther ? _framesInLog : frames;
        return !isOther && frames == moved;
    }

    /// <summary>Tries until it has moved all pages or time is up.</summary>
    private bool MovePages(TimeSpan patience)
    {
        var began = TimeProvider.System.GetTimestamp(); // Readers end in real time, whatever the tasks' clock says.
        while (!MovePages())
        {
            if (TimeProvider.System.GetElapsedTime(began) >= patience)
            {
                return false;
            }

            Thread.Sleep(Nap);
        }

        return true;
    }

    /// <summary>
    /// Makes the log begin anew beside readers that follow each other without a gap, which a checkpoint alone never
    /// gets past. While the write lock is held, readers that end are followed by readers of the newest state; once all
    /// of that is in the database file, by readers that need no log. The first commit when no reader is left that needs
    /// it begins the log at its start.
    /// </summary>
    private void Press(SqliteDatabase database)
    {
        var bytes = _framesInLog * SqliteStore.BytesOfFrame;
        if (TryRestart(database, _presses.Patience))
        {
            _presses.Succeeded();
            _nextLogWarning = LogWarningBytes;
            return;
        }

        _presses.Failed();
        if (_presses.IsHopeless && bytes >= _nextLogWarning)
        {
            Log.LogHeldBack(logger, store.Path, bytes, _presses.FailingFor);
            _nextLogWarning = bytes * 2;
        }
    }

    private bool TryRestart(SqliteDatabase database, TimeSpan patience)
    {
        var began = TimeProvider.System.GetTimestamp();
        store.BeginWriting(database);
        try
        {
            if (!MovePages(patience))
            {
                return false;
            }
        }
        finally
        {
            database.Statement("rollback").Execute();
        }

        BeforeBegin(database);
        store.BeginWriting(database); // Again: this transaction needs no log either, and so may begin it anew.
        try
        {
            while (TimeProvider.System.GetElapsedTime(began) < patience)
            {
                Thread.Sleep(Nap);
            }

            database.Statement(CarrySyncSql).Execute();
            database.Statement("commit").Execute();
        }
        catch
        {
            if (database.IsInTransaction)
            {
                database.Statement("rollback").Execute();
            }

            throw;
        }

        var before = _framesInLog;
        NoteCommit(database);
        Checkpoint(database);
        return _framesInLog < before;
    }

    /// <summary>Nobody has written for a while: the log's room on the disk is given back.</summary>
    private void Empty(SqliteDatabase database)
    {
        store.LimitLog(database, bytes: 0);
        try
        {
            TryRestart(database, patience: TimeSpan.Zero);
        }
        finally
        {
            store.LimitLog(database);
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
