using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>The transaction of a turn: how it begins beside strangers, and what is made of one that fails.</summary>
public sealed partial class SqliteBackend
{
    private long _dataVersion; // Changes when another connection has written.
    private bool _commitIsUnknown; // A commit was tried, and has not been seen to succeed.

    private void Begin()
    {
        SyncIfOwed();
        var patience = new BusyPatience(_options, _options.Random);
        while (true)
        {
            try
            {
                Database.Statement("begin immediate").Execute();
                break;
            }
            catch (BackendBusyException) when (patience.Wait())
            {
                // Somebody else writes at this moment.
            }
        }

        _now = _time.GetUtcNow().ToUnixTimeMilliseconds(); // Again: it may have waited, and what has expired meanwhile must not start.
        try
        {
            if (!_store.IsMemory)
            {
                LookForStrangers();
            }

            if (!_pausedAreKnown)
            {
                ReadPaused();
            }
        }
        catch
        {
            Rollback();
            throw;
        }
    }

    /// <summary>When somebody else has written since the last turn, what is known from memory is looked at again.</summary>
    private void LookForStrangers()
    {
        var version = Database.Statement("pragma data_version").Scalar().GetValueOrDefault();
        if (version == _dataVersion)
        {
            return;
        }

        _store.CheckVersion(Database); // Before anything is written into what a newer engine may have migrated.
        _dataVersion = version;
        _readyVersion++;
        _nextDue = 0;
        _nextExpiry = 0;
        _waitersMayBeDone = true;
        _cancelsMayBeThere = true;
        _pausedAreKnown = false;
        DropLostWorkers();
        LookWhoIsThere();
    }

    private void Commit()
    {
        _options.Reached?.Invoke(EnginePoint.Commit);
        _commitIsUnknown = true;
        Database.Statement("commit").Execute();
        _commitIsUnknown = false;
        NoteCommit();
    }

    private void Rollback()
    {
        _names.Forget();
        _ended.Clear();
        _emptyQueues.Clear();
        _reports.Clear();
        TakeBackReserved();
        _readyVersion++;
        _nextDue = 0;
        _nextExpiry = 0;
        _pausedAreKnown = false;
        if (Database.IsInTransaction)
        {
            Database.Statement("rollback").Execute();
        }
    }

    private void AfterFailure(BackendException exception)
    {
        if (exception is BackendFullException)
        {
            _pagesInLog = _options.CheckpointPages; // An empty log is the room that can be made here.
        }

        if (_database is not null && !_store.IsMemory && SqliteErrors.SpoilsConnection(exception))
        {
            Log.ConnectionReplaced(_logger, _store.Path, exception);
            CloseConnections();
            DistrustLog();
        }
    }

    private void CloseConnections()
    {
        _checkpoints?.Dispose();
        _checkpoints = null;
        _database?.Dispose();
        _database = null;
    }

    /// <summary>Ids are taken before the turn and synced whatever the durability: a rollback or a power cut gives none twice.</summary>
    private void TakeIds(List<Operation> enqueues)
    {
        var needed = 0;
        var spare = 0;
        foreach (var operation in enqueues)
        {
            needed += operation.NewIds;
            spare = Math.Max(spare, operation.SpareIds);
        }

        if (_ids.Has(needed) && spare == 0)
        {
            return;
        }

        needed = _ids.Has(needed) ? 0 : Math.Max(needed, TaskIds.BlockSize);
        if (!_store.IsMemory && spare == 0 && _spareIds.AreLow)
        {
            spare = TaskIds.BlockSize; // In the same commit: a process that enqueues may do so in a transaction as well.
        }

        _syncOwed = _options.Durability == Durability.Relaxed;
        Begin();
        try
        {
            var first = TaskIds.TakeBlock(Database, needed + spare);
            Commit();
            if (needed > 0)
            {
                _ids.Use(first, needed);
            }

            if (spare > 0)
            {
                _spareIds.Use(first + needed, spare);
            }
        }
        catch
        {
            Rollback();
            throw;
        }
    }
}
