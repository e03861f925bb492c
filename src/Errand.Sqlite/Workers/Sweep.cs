using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Workers;

/// <summary>
/// How the dead are noticed, and their tasks wait again: by the lock file of their process at once, by a heartbeat that
/// has stood still for their lease otherwise.
/// </summary>
internal sealed class Sweep(SqliteStore store, Incarnations incarnations, TimeProvider time, ILogger logger) : Part<Turn>
{
    private readonly WorkerWatch _watch = new();
    private long _last;
    private TimeSpan _heldUp; // Of the store, at the last look.

    internal override Moments Hears => Moments.Plan | Moments.Upkeep;

    /// <summary>
    /// How often the others are looked at: often enough for the shortest lease here, at most every second. A heartbeat
    /// is half a lease at most; an eighth before a lock that stops everybody and an eighth after it leave a worker that
    /// lives a quarter of its lease to be heard of.
    /// </summary>
    private TimeSpan Interval
    {
        get
        {
            var interval = TimeSpan.FromSeconds(1);
            foreach (var worker in incarnations)
            {
                interval = worker.Lease / 8 < interval ? worker.Lease / 8 : interval;
            }

            return interval;
        }
    }

    internal override void Plan(Agenda agenda)
    {
        if (incarnations.Count > 0)
        {
            agenda.Every(Interval, _last);
        }
    }

    internal override Action<Turn>? Upkeep(Turn reader, long now) =>
        incarnations.Count > 0 && time.GetElapsedTime(_last) >= Interval ? Look : null;

    /// <summary>Finds incarnations that are dead or whose lease has run out, and releases what they own.</summary>
    internal void Look(Turn turn)
    {
        // What this process has waited for a lock, the others have waited as well, and could not be heard of.
        var elapsed = time.GetElapsedTime(_last) - (store.HeldUp - _heldUp);
        var longest = Interval * 2; // More has passed than was asked for: this process, or everybody, stood still.
        var counted = elapsed < longest ? elapsed : longest;
        var others = Incarnations.Read(turn).FindAll(worker => !incarnations.IsOurs(worker.Owner));
        foreach (var other in others)
        {
            var isExpired = _watch.HasExpired(other.Owner, other.Beat, other.Lease, counted);
            var isDead = !store.IsMemory && WorkerLockFile.Probe(store.Location, other.Owner) == WorkerLockFile.Liveness.Dead;
            if (isDead || isExpired)
            {
                GiveBack(turn, other, isDead ? "its process has ended" : $"it has not responded for its lease of {other.Lease}");
            }
        }

        ReleaseOrphans(turn);
        _watch.Keep([.. others.Select(other => other.Owner)]);
        _last = time.GetTimestamp();
        _heldUp = store.HeldUp;
    }

    // language=sqlite
    private const string SelectPoisonedSql = """
        select id
        from   errand_tasks
        where  owner = @owner and state = 12 and (attempt >= max_attempts or cancelled is not null)
        """;

    // language=sqlite
    private const string FailPoisonedSql = """
        insert into errand_finished (
            id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error, max_attempts, timeout, retry,
            unique_key, headers, payload)
        select id, iif(cancelled is null, 21, 22), queue, name, priority, attempt, epoch, enqueued, due, started, @now,
               @error || attempt || ' of ' || max_attempts || '.', max_attempts, timeout, retry, unique_key,
               iif(cancelled is null, headers, null), iif(cancelled is null, payload, null)
        from   errand_tasks
        where  id = @id
        """;

    // language=sqlite
    private const string SelectLostSql = """
        select id, attempt, max_attempts, retry
        from   errand_tasks
        where  owner = @owner and state = 12
        """;

    // language=sqlite
    private const string GiveBackSql = """
        update errand_tasks
        set    state = @state, owner = @nobody, due = @due
        where  id = @id and owner = @owner and state = 12
        """;

    /// <summary>
    /// The tasks of a worker that is gone wait again, as after an attempt that failed; their attempts stay charged, so that a task
    /// that kills its process ends as failed. One that has been heard of since it was looked at keeps everything.
    /// </summary>
    private void GiveBack(Turn turn, WorkerRow gone, string reason)
    {
        if (!Incarnations.Delete(turn, gone.Owner, gone.Beat))
        {
            return;
        }

        var tasks = GiveBack(turn, gone.Owner);
        turn.Effects.Report(() =>
        {
            Log.WorkerGone(logger, gone.Owner, gone.Host, gone.Process, reason, tasks);
            if (!store.IsMemory)
            {
                WorkerLockFile.Remove(store.Location, gone.Owner);
            }
        });
    }

    /// <returns>How many tasks the owner had.</returns>
    private static int GiveBack(Turn turn, long owner)
    {
        List<long> poisoned = [];
        var rows = turn.Statement(SelectPoisonedSql).With(owner);
        while (rows.Step())
        {
            poisoned.Add(rows.Int64(0));
        }

        poisoned.ForEach(id => turn.End(id, turn.Statement(FailPoisonedSql).With(turn.Now).With(Attempts.Lost).With(id)));
        Attempts.NoteLost(turn, owner);
        List<(long Id, TimeSpan Wait)> lost = [];
        rows = turn.Statement(SelectLostSql).With(owner);
        while (rows.Step())
        {
            var (id, attempt) = (rows.Int64(0), rows.Int32(1));
            var policy = RetryText.Read(rows.IsNull(3) ? null : rows.Text(3), rows.Int32(2));
            lost.Add((id, Backoff.AfterLoss(policy, attempt, Backoff.Sample(id, attempt))));
        }

        foreach (var (id, wait) in lost)
        {
            var due = turn.Now + NewTasks.Milliseconds(wait);
            var state = due <= turn.Now ? TaskState.Pending : TaskState.Scheduled;
            turn.WaitAgain(due, turn.Statement(GiveBackSql).With((long)state).With(Turn.Nobody).With(due).With(id).With(owner));
        }

        return poisoned.Count + lost.Count;
    }

    // language=sqlite
    private const string SelectOrphanedSql = """
        select   owner
        from     errand_tasks
        where    state = 12 and owner not in (select id from errand_workers)
        group by owner
        """;

    /// <summary>
    /// Tasks that run on a worker without a row have nobody whose lease could run out. Nothing of Errand's leaves such
    /// tasks; a file that was copied while in use, or changed by hand, may have them.
    /// </summary>
    private void ReleaseOrphans(Turn turn)
    {
        List<long> owners = [];
        var rows = turn.Statement(SelectOrphanedSql);
        while (rows.Step())
        {
            owners.Add(rows.Int64(0));
        }

        foreach (var owner in owners)
        {
            incarnations.Drop(owner); // If it is one of this process, its row was taken away: it starts nothing more.
            var tasks = GiveBack(turn, owner);
            turn.Effects.Report(() => Log.OrphansReleased(logger, owner, tasks));
        }
    }

    /// <summary>
    /// Removes lock files that a process left when it died between making one and committing its row, or between
    /// releasing a dead worker's tasks and removing its file. Inside a transaction, so that nobody else is just between
    /// the two.
    /// </summary>
    internal void RemoveStrayLockFiles(Turn turn)
    {
        if (store.IsMemory)
        {
            return;
        }

        foreach (var owner in WorkerLockFile.Owners(store.Location))
        {
            if (!incarnations.IsOurs(owner) && !Incarnations.IsThere(turn, owner)
                && WorkerLockFile.Probe(store.Location, owner) == WorkerLockFile.Liveness.Dead)
            {
                WorkerLockFile.Remove(store.Location, owner);
            }
        }
    }
}
