namespace Errand.Sqlite.Workers;

/// <summary>Other processes on the same file: how their work is noticed, and how they are told of ours.</summary>
internal sealed class Neighbours(
    SqliteStore store, Incarnations incarnations, WaitingWorkers<Turn, Waiting> waiting, Results results, IInbox<Turn> inbox,
    TimeProvider time, Action<Doubt> doubt)
    : Part<Turn>
{
    /// <summary>The shortest time between two looks, while others are busy.</summary>
    private static readonly TimeSpan ShortestPoll = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest while a caller waits for a result: a process without a worker has nothing that wakes it.</summary>
    private static readonly TimeSpan ResultPoll = TimeSpan.FromMilliseconds(25);

    private readonly PollPace _pace = new(time);
    private readonly List<long> _workers = []; // Of other backends, as of the last change that others made.
    private bool _mayHaveChanged; // Others have written: who they are is read again.
    private bool _wakeOwed; // This backend has made or scheduled tasks that others do not know of yet.
    private long _lastWake;

    internal override Moments Hears => Moments.Doubted | Moments.Plan | Moments.Upkeep | Moments.Began | Moments.Committed;

    internal override bool WorksOutdated => true;

    /// <summary>A commit of a caller's comes soon: look for it, quickly at first.</summary>
    internal void ExpectCommit() => inbox.TryAdd(new PollNote(_pace));

    /// <summary>A caller's transaction has committed: look at once, and wake the workers of other processes. From any thread.</summary>
    internal void NoteCommit() => inbox.TryAdd(new CommitNote(this));

    /// <summary>Listens for word from other processes, for a worker of this one.</summary>
    internal WakeSocket? Listen(long owner) =>
        WakeSocket.Listen(WorkerLockFile.WakePathOf(store.Location, owner), store.Location, ExpectCommit);

    internal override void Doubted(Doubt why) => _mayHaveChanged |= why == Doubt.OthersWrote;

    // In memory there is nobody else; on a file nobody is looked for unless somebody waits for what they write.
    internal override void Plan(Agenda agenda)
    {
        if (!store.IsMemory && (waiting.Count > 0 || results.IsWaitedFor))
        {
            _pace.Limit(results.IsWaitedFor ? ResultPoll : null);
            _pace.Plan(agenda);
        }
    }

    /// <summary>
    /// Looks whether somebody else has written. Quickly while others are busy, and then ever more slowly: a process in
    /// which nobody waits for a result looks once a second.
    /// </summary>
    internal override Action<Turn>? Upkeep(Turn reader, long now)
    {
        if (store.IsMemory || !_pace.IsDue)
        {
            return null;
        }

        if (reader.Database.LookForChange())
        {
            _pace.Restart(ShortestPoll);
            doubt(Doubt.Polled); // The turn's begin looks closer.
        }
        else
        {
            _pace.Slow(ShortestPoll);
        }

        return null;
    }

    // language=sqlite
    private const string SelectWorkerIdsSql = "select id from errand_workers";

    internal override void Began(Turn turn)
    {
        if (!_mayHaveChanged)
        {
            return;
        }

        _mayHaveChanged = false;
        _workers.Clear();
        var workers = turn.Statement(SelectWorkerIdsSql);
        while (workers.Step())
        {
            if (!incarnations.IsOurs(workers.Int64(0)))
            {
                _workers.Add(workers.Int64(0));
            }
        }
    }

    /// <summary>
    /// After a commit of ours that made tasks ready, or due later, workers of other processes are woken, at most once
    /// in the time in which one that has been woken looks again by itself.
    /// </summary>
    internal override void Committed(Effects effects)
    {
        _wakeOwed |= effects.WakesOthers;
        if (!_wakeOwed || _workers.Count == 0 || time.GetElapsedTime(_lastWake) < ShortestPoll)
        {
            return;
        }

        WakeOthers();
    }

    private void WakeOthers()
    {
        _wakeOwed = false;
        _lastWake = time.GetTimestamp();
        foreach (var owner in _workers)
        {
            WakeSocket.Send(WorkerLockFile.WakePathOf(store.Location, owner));
        }
    }

    private sealed class CommitNote(Neighbours neighbours) : Note<Turn>
    {
        internal override void Hear()
        {
            neighbours._pace.Hurry();
            neighbours.WakeOthers();
        }
    }

    /// <summary>Look at once, and for a while more often.</summary>
    private sealed class PollNote(PollPace pace) : Note<Turn>
    {
        internal override void Hear() => pace.Hurry();
    }
}
