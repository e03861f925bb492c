using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>
/// What the loop does beside its callers' wishes, a little in each turn: retention, looking for other processes' work and for dead
/// workers, and knowing when to wake for each.
/// </summary>
public sealed partial class PostgresBackend
{
    /// <summary>Finished tasks removed in one turn at most.</summary>
    private const int PruneBatch = 1_000;

    private static readonly TimeSpan PruneInterval = TimeSpan.FromSeconds(2);

    /// <summary>How old a floor may become: others may have put tasks before it.</summary>
    private static readonly TimeSpan FloorInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long the loop leaves a store alone that has just failed it, unless somebody calls.</summary>
    private static readonly TimeSpan TroublePause = TimeSpan.FromSeconds(1);

    private readonly List<Action> _afterCommit = [];
    private long _lastPrune;
    private long _lastFloor;
    private bool _pruneGoesOn;
    private bool _upkeepFailed; // In the last turn.

    private static bool Passed(TimeSpan elapsed, TimeSpan interval) => elapsed >= interval;

    /// <summary>How long the loop may sleep when nothing arrives.</summary>
    private TimeSpan TimeToWait()
    {
        if (_connection is null)
        {
            // After a failure it is connected again by itself only for who waits.
            return _waiting.Count + _resultWaiters.Count > 0 ? TroublePause : Timeout.InfiniteTimeSpan;
        }

        var wait = TimeSpan.MaxValue;
        Until(PruneInterval, _lastPrune, !_pruneGoesOn);
        if (_pruneGoesOn)
        {
            wait = TimeSpan.FromMilliseconds(5); // Paced: what callers want comes first.
        }

        if (_waiting.Count + _resultWaiters.Count > 0)
        {
            Until(_pollInterval, _lastPoll, true);
        }

        Until(SweepInterval, _lastSweep, _workers.Count > 0);
        Until(HeldPause, _lastLook, _held.Count > 0);
        if (_orphansSuspected || HasWorkForWaiting || CancelLookIsDue)
        {
            wait = TimeSpan.Zero;
        }

        if (_nextExpiry != long.MaxValue)
        {
            Least(TimeSpan.FromMilliseconds(Math.Max(1, _nextExpiry - ServerTime)));
        }

        if (_cancelsMayBeThere)
        {
            Until(CancelInterval, _lastCancelLook, _workers.Count > 0);
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.Deadline != long.MaxValue)
            {
                Least(_time.GetElapsedTime(_time.GetTimestamp(), waiting.Deadline));
            }

            // One without a free slot is not woken for: the settlement that frees it is a turn of its own.
            if (_nextDue != long.MaxValue && waiting.Room() > 0)
            {
                Least(TimeSpan.FromMilliseconds(Math.Max(1, _nextDue - ServerTime)));
            }
        }

        var least = _upkeepFailed ? TroublePause : TimeSpan.Zero; // What is overdue and fails is not tried in a circle.
        return wait < least ? least : wait;

        void Until(TimeSpan interval, long since, bool applies)
        {
            if (applies)
            {
                Least(interval - _time.GetElapsedTime(since));
            }
        }

        void Least(TimeSpan time) => wait = time < TimeSpan.Zero ? TimeSpan.Zero : time < wait ? time : wait;
    }

    /// <summary>Adds what is due to the turn's operations.</summary>
    private void AddUpkeep(List<Operation> settles)
    {
        if (Passed(_time.GetElapsedTime(_lastPoll), _pollInterval))
        {
            Poll();
        }

        if (Passed(_time.GetElapsedTime(_lastFloor), FloorInterval))
        {
            _lastFloor = _time.GetTimestamp();
            _floorVersion++;
        }

        if (_workers.Count > 0 && (_orphansSuspected || Passed(_time.GetElapsedTime(_lastSweep), SweepInterval)))
        {
            settles.Add(new UpkeepOperation(this, batch => Sweep(batch, withOrphans: false)));
        }

        if (_nextExpiry <= ServerTime)
        {
            settles.Add(new UpkeepOperation(this, Expire));
        }

        if (CancelLookIsDue)
        {
            settles.Add(new UpkeepOperation(this, TellCancelled));
        }

        if (_pruneGoesOn || Passed(_time.GetElapsedTime(_lastPrune), PruneInterval))
        {
            settles.Add(new UpkeepOperation(this, Prune));
        }
    }

    // language=postgresql
    private const string PruneSql = """
        with pruned as (
            delete from errand.finished
            where  id = any(array(
                select id
                from   errand.finished
                where  state = @state and finished < errand.now_ms(@now) - @retention
                order by finished
                limit  @count
                for update skip locked))
            returning id
        ),
        attempts as (
            delete from errand.attempts where task = any(array(select id from pruned))
        ),
        progress as (
            delete from errand.progress where task = any(array(select id from pruned))
        )
        select id
        from   pruned
        """;

    private void Prune(TurnBatch batch)
    {
        var pruned = 0;
        foreach (var state in (ReadOnlySpan<TaskState>)[TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired])
        {
            if (_options.RetentionOf(state) is { } retention)
            {
                batch.Add(PruneSql, _ => pruned++).With("now", TestNow).With("state", (short)state)
                    .With("retention", (long)retention.TotalMilliseconds).With("count", PruneBatch);
            }
        }

        batch.Add(PrunePeriodsSql, _ => pruned++).With("now", TestNow).With("count", PruneBatch);
        _afterCommit.Add(() =>
        {
            _pruneGoesOn = pruned >= PruneBatch;
            _lastPrune = _time.GetTimestamp();
        });
    }

    /// <summary>After the turn, and after its callers have been told.</summary>
    private async Task FinishUpkeepAsync()
    {
        foreach (var report in _reports)
        {
            report();
        }

        _reports.Clear();
        if (_connection is not null)
        {
            await TellWaitersAsync().ConfigureAwait(false);
        }

        EndExpiredWaits();
        VacuumWhenDue();
    }

    private void NoteUpkeepFailed(Exception exception)
    {
        _upkeepFailed = true;
        Log.UpkeepFailed(_logger, _store.Name, exception);
    }

    /// <summary>Housekeeping as an operation, so that it shares the turn's transaction and its second chance alone.</summary>
    private sealed class UpkeepOperation(PostgresBackend backend, Action<TurnBatch> upkeep) : Operation
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch) => upkeep(batch);

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception) => backend.NoteUpkeepFailed(exception);
    }
}
