using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>
/// What the writer does beside its callers' wishes, a little in each turn: retention, giving space back, looking for other
/// processes' work, and knowing when to wake for each.
/// </summary>
public sealed partial class SqliteBackend
{
    /// <summary>Finished tasks removed in one turn at most: about a millisecond.</summary>
    private const int PruneBatch = 1_000;

    /// <summary>Free pages that are kept for what comes next.</summary>
    private const int SparePages = 1_024;

    private static readonly TimeSpan PruneInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long the writer leaves a store alone that has just failed it, unless somebody calls.</summary>
    private static readonly TimeSpan TroublePause = TimeSpan.FromSeconds(1);

    private long _lastPrune;
    private bool _pruneGoesOn;
    private bool _vacuumGoesOn;
    private bool _upkeepFailed; // In the last turn.

    private static bool Passed(TimeSpan elapsed, TimeSpan interval) => elapsed >= interval;

    /// <summary>How long the writer may sleep when nothing arrives.</summary>
    private TimeSpan TimeToWait()
    {
        if (_database is null)
        {
            // After a failure it is opened again by itself only for who waits, and for what a sync is owed.
            var isNeeded = _waiting.Count + _resultWaiters.Count > 0 || _unsyncedSince is not null;
            return isNeeded ? Sleepable(TroublePause) : Timeout.InfiniteTimeSpan;
        }

        var wait = TimeSpan.MaxValue;
        Until(PruneInterval, _lastPrune, !_pruneGoesOn);
        if (_pruneGoesOn || _vacuumGoesOn)
        {
            wait = TimeSpan.FromMilliseconds(5); // Paced: what callers want comes first.
        }

        if (_waiting.Count + _resultWaiters.Count > 0)
        {
            Until(_pollInterval, _lastPoll, !_store.IsMemory);
        }

        Until(SweepInterval, _lastSweep, _workers.Count > 0);
        if (_nextExpiry != long.MaxValue)
        {
            Least(TimeSpan.FromMilliseconds(_nextExpiry - _time.GetUtcNow().ToUnixTimeMilliseconds()));
        }

        if (_unsyncedSince is { } unsynced)
        {
            Until(SyncInterval, unsynced, true);
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.Deadline != long.MaxValue)
            {
                Least(_time.GetElapsedTime(_time.GetTimestamp(), waiting.Deadline));
            }

            // One without a free slot is not woken for: the settlement that frees it is a turn of its own.
            if (_nextDue != long.MaxValue && waiting.HasRoom)
            {
                Least(TimeSpan.FromMilliseconds(_nextDue - _time.GetUtcNow().ToUnixTimeMilliseconds()));
            }
        }

        var least = _upkeepFailed ? TroublePause : TimeSpan.Zero; // What is overdue and fails is not tried in a circle.
        return Sleepable(wait < least ? least : wait);

        void Until(TimeSpan interval, long since, bool applies)
        {
            if (applies)
            {
                Least(interval - _time.GetElapsedTime(since));
            }
        }

        void Least(TimeSpan time) => wait = time < wait ? time : wait;
    }

    /// <summary>On the system's clock the writer sleeps by itself; a clock of tests rings the bell instead.</summary>
    private TimeSpan Sleepable(TimeSpan wait)
    {
        if (_time == TimeProvider.System || wait == TimeSpan.Zero)
        {
            return wait;
        }

        _alarm ??= _time.CreateTimer(static inbox => ((Inbox)inbox!).Ring(), _inbox, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _alarm.Change(wait, Timeout.InfiniteTimeSpan);
        return Timeout.InfiniteTimeSpan;
    }

    /// <summary>Adds what is due to the turn's operations.</summary>
    private void AddUpkeep(List<Operation> settles)
    {
        if (!_store.IsMemory && Passed(_time.GetElapsedTime(_lastPoll), _pollInterval))
        {
            Poll();
        }

        if (_workers.Count > 0 && Passed(_time.GetElapsedTime(_lastSweep), SweepInterval))
        {
            settles.Add(new UpkeepOperation(this, Sweep));
        }

        if (_nextExpiry <= _now)
        {
            settles.Add(new UpkeepOperation(this, Expire));
        }

        if (_pruneGoesOn || Passed(_time.GetElapsedTime(_lastPrune), PruneInterval))
        {
            if (HasPrunable())
            {
                settles.Add(new UpkeepOperation(this, Prune));
            }
            else
            {
                _pruneGoesOn = false;
                _vacuumGoesOn = true; // A drained backlog leaves room as well: looked at as often.
                _lastPrune = _time.GetTimestamp();
            }
        }

        if (_unsyncedSince is { } unsynced && Passed(_time.GetElapsedTime(unsynced), SyncInterval))
        {
            settles.Add(new UpkeepOperation(this, CarrySync));
        }
    }

    // language=sqlite
    private const string HasPrunableSql = """
        select 1 where exists (select 1 from finished where state = 20 and finished < @succeeded)
                    or exists (select 1 from finished where state = 21 and finished < @failed)
                    or exists (select 1 from finished where state = 22 and finished < @cancelled)
                    or exists (select 1 from finished where state = 23 and finished < @expired)
                    or exists (select 1 from unique_periods where until <= @now)
        """;

    // language=sqlite
    private const string PruneSql = """
        delete from finished
        where  id in (select id from finished where state = @state and finished < @before order by finished limit @count)
        """;

    // language=sqlite
    private const string PruneAttemptsSql = """
        delete from attempts
        where  task in (select id from finished where state = @state and finished < @before order by finished limit @count)
        """;

    // language=sqlite
    private const string PruneProgressSql = """
        delete from progress
        where  task in (select id from finished where state = @state and finished < @before order by finished limit @count)
        """;

    private bool HasPrunable() => Database.Statement(HasPrunableSql)
        .With(PruneBefore(TaskState.Succeeded)).With(PruneBefore(TaskState.Failed)).With(PruneBefore(TaskState.Cancelled))
        .With(PruneBefore(TaskState.Expired)).With(_now).Scalar() is not null;

    /// <summary>What has ended before this is removed; before all time where it stays.</summary>
    private long PruneBefore(TaskState state) =>
        _options.RetentionOf(state) is { } retention ? _now - (long)retention.TotalMilliseconds : long.MinValue;

    private void Prune()
    {
        _pruneGoesOn = Database.Statement(PrunePeriodsSql).With(_now).With(PruneBatch).Execute() == PruneBatch;
        foreach (var state in (ReadOnlySpan<TaskState>)[TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired])
        {
            _pruneGoesOn |= Prune(state) == PruneBatch;
        }

        _lastPrune = _time.GetTimestamp();
    }

    private int Prune(TaskState state)
    {
        var before = PruneBefore(state);
        Database.Statement(PruneAttemptsSql).With((long)state).With(before).With(PruneBatch).Execute();
        Database.Statement(PruneProgressSql).With((long)state).With(before).With(PruneBatch).Execute();
        return Database.Statement(PruneSql).With((long)state).With(before).With(PruneBatch).Execute();
    }

    /// <summary>After the turn, and after its callers have been told.</summary>
    private void FinishUpkeep()
    {
        try
        {
            foreach (var report in _reports)
            {
                report();
            }

            _reports.Clear();
            EndExpiredWaits();
            if (_database is null)
            {
                return; // This turn has lost its connection: the next opens another.
            }

            TellAllWaiters();
            TellCancelled();
            if (_pagesInLog >= _options.CheckpointPages)
            {
                Checkpoint();
            }

            if (_vacuumGoesOn && !_pruneGoesOn)
            {
                Vacuum();
            }
        }
        catch (BackendException e)
        {
            NoteUpkeepFailed(e);
            AfterFailure(e);
        }
    }

    private void NoteUpkeepFailed(Exception exception)
    {
        _upkeepFailed = true;
        Log.UpkeepFailed(_logger, _store.Path, exception);
    }

    private void EndExpiredWaits()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (_waiting[i].Deadline <= _time.GetTimestamp())
            {
                var expired = _waiting[i];
                _waiting.RemoveAt(i);
                expired.Complete();
            }
        }
    }

    // language=sqlite
    private const string VacuumSql = "pragma incremental_vacuum(256)";

    /// <summary>Gives free pages back to the system, a megabyte at a time.</summary>
    private void Vacuum()
    {
        var free = Database.Statement("pragma freelist_count").Scalar().GetValueOrDefault();
        var all = Database.Statement("pragma page_count").Scalar().GetValueOrDefault();
        _vacuumGoesOn = free > Math.Max(SparePages, all / 10);
        if (_vacuumGoesOn)
        {
            Begin();
            try
            {
                Database.Statement(VacuumSql).Execute();
                Commit();
            }
            catch
            {
                Rollback();
                throw;
            }
        }
    }

    private SqliteStorage MeasureStorage()
    {
        var page = Database.Scalar("pragma page_size").GetValueOrDefault();
        var pages = Database.Scalar("pragma page_count").GetValueOrDefault();
        var free = Database.Scalar("pragma freelist_count").GetValueOrDefault();
        return new SqliteStorage
        {
            DatabaseBytes = pages * page, FreeBytes = free * page, WalBytes = LogBytes(), PageBytes = (int)page,
        };
    }

    /// <summary>Housekeeping as an operation, so that it shares the turn's transaction and its second chance alone.</summary>
    private sealed class UpkeepOperation(SqliteBackend backend, Action upkeep) : Operation
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run() => upkeep();

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception) => backend.NoteUpkeepFailed(exception);
    }
}
