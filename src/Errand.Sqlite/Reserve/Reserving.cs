using System.Runtime.InteropServices;

namespace Errand.Sqlite.Reserve;

/// <summary>
/// Reserve: workers wait in a list of the writer's; each turn fills what it can, by priority, due time and id.
/// </summary>
internal sealed class Reserving : Part<Turn>
{
    /// <summary>
    /// Tasks of other workers that one reserve looks past at most; it continues when those have been taken.
    /// </summary>
    private const int LookPast = 1_000;

    private readonly WaitingWorkers<Turn, Waiting> _waiting;
    private readonly Incarnations _incarnations;
    private readonly Pauses _pauses;
    private readonly Parking _parking;
    private readonly TimeProvider _time;
    private readonly HashSet<long> _emptyQueues = []; // Queues seen to have no ready task, in this transaction.
    private readonly List<TaskLease> _undelivered = []; // Started by a commit whose outcome is unknown: not to be orphaned.
    private Effects? _heard; // The transaction whose readiness the version has counted.
    private long _readyVersion; // Rises whenever tasks may have become ready; whoever has seen all of this version has seen all.
    private bool _looksOn; // Of this turn: there may be more than was looked at.
    private int _turnOfQueue; // Among the queues of one pattern.

    internal Reserving(
        WaitingWorkers<Turn, Waiting> waiting, Incarnations incarnations, Pauses pauses, Parking parking, TimeProvider time)
    {
        _waiting = waiting;
        _incarnations = incarnations;
        _pauses = pauses;
        _parking = parking;
        _time = time;
        _incarnations.WhenDropped(_waiting.FailOf);
    }

    internal override Moments Hears =>
        Moments.Doubted | Moments.Plan | Moments.HasWork | Moments.Began | Moments.Fill | Moments.Committed | Moments.Tidy;

    internal override bool NeedsStore => _waiting.Count > 0;

    /// <inheritdoc cref="IBackend.ReserveAsync"/>
    internal ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken)
    {
        Arguments.Check(request);
        return _waiting.ReserveAsync(new Waiting(this, request, _time), cancellationToken);
    }

    internal LocalWorker? WorkerOf(long owner) => _incarnations.Find(owner);

    internal void Add(Waiting worker) => _waiting.Add(worker);

    internal override void Plan(Agenda agenda) => _waiting.Plan(agenda);

    internal override bool HasWork(long now)
    {
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion != _readyVersion && waiting.HasRoom)
            {
                return true;
            }
        }

        return false;
    }

    internal override void Doubted(Doubt why)
    {
        _readyVersion++;
        if (why is Doubt.RolledBack or Doubt.OutcomeUnknown)
        {
            foreach (var waiting in _waiting)
            {
                if (why == Doubt.OutcomeUnknown)
                {
                    _undelivered.AddRange(waiting.Reserved.Select(task => task.Lease));
                }

                waiting.TakeBack();
            }
        }
    }

    /// <summary>Whoever was never told of a task does not run it: it waits again, uncharged.</summary>
    internal override void Began(Turn turn)
    {
        _emptyQueues.Clear();
        foreach (var lease in _undelivered)
        {
            Settling.Release(turn, lease);
        }
    }

    /// <summary>
    /// Inserts a new task that is due: as running for a worker that waits on its queue, knows its name and has room,
    /// but only while no earlier task is ready, as seen inside this transaction; else as pending.
    /// </summary>
    internal void Offer(Turn turn, NewTask task, long id, long queue, long name, long due)
    {
        if (TakerOf(turn, queue, name) is { } taker)
        {
            turn.Insert(task, id, queue, name, due, taker.Owner);
            taker.Reserved.Add(task.HandOff(id, taker.Owner, turn.Now, due));
        }
        else
        {
            turn.Insert(task, id, queue, name, due, Turn.Nobody);
            _emptyQueues.Remove(queue);
        }
    }

    private Waiting? TakerOf(Turn turn, long queue, long name)
    {
        if (_pauses.IsPaused(queue))
        {
            return null;
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.HasRoom && waiting.Takes(turn, queue, name))
            {
                return IsEmpty(turn, queue) ? waiting : null;
            }
        }

        return null;
    }

    // language=sqlite
    private const string AnyReadySql = "select 1 from errand_tasks where queue = @queue and state = 10 limit 1";

    private bool IsEmpty(Turn turn, long queue)
    {
        if (_emptyQueues.Contains(queue))
        {
            return true;
        }

        if (turn.Statement(AnyReadySql).With(queue).Scalar() is not null)
        {
            return false;
        }

        _emptyQueues.Add(queue);
        return true;
    }

    internal override void Fill(Turn turn)
    {
        Hear(turn.Effects);
        _looksOn = false;
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion == _readyVersion || !waiting.HasRoom)
            {
                continue;
            }

            foreach (var place in waiting.NextOrder())
            {
                Reserve(turn, waiting, waiting.Request.Queues[place]);
            }

            if (waiting.HasRoom)
            {
                waiting.NoteSeen(_readyVersion);
            }
        }

        if (_looksOn)
        {
            _readyVersion++;
        }
    }

    private void Reserve(Turn turn, Waiting waiting, QueueSubscription subscription)
    {
        if (!waiting.HasRoom)
        {
            return;
        }

        if (!subscription.IsPattern)
        {
            Reserve(turn, waiting, turn.IdOf(subscription.Queue), subscription.Queue);
            return;
        }

        var ready = Pauses.ReadyQueues(turn);
        _turnOfQueue++;
        for (var i = 0; i < ready.Count && waiting.HasRoom; i++)
        {
            var queue = ready[(i + _turnOfQueue) % ready.Count]; // Among those of one pattern each is first in its turn.
            if (turn.TextOf(queue) is var text && subscription.Matches(text))
            {
                Reserve(turn, waiting, queue, text);
            }
        }
    }

    // language=sqlite
    private const string SelectReadySql = """
        select   id, name, due, epoch, attempt, max_attempts, enqueued, timeout, expires, retry, trace, payload
        from     errand_tasks
        where    queue = @queue and state = 10
        order by priority desc, due, id
        """;

    private void Reserve(Turn turn, Waiting waiting, long queue, string queueName)
    {
        if (_pauses.IsPaused(queue))
        {
            return;
        }

        var first = waiting.Reserved.Count;
        var passed = 0;
        List<(long Id, long Name)>? unknown = null;
        List<long>? expired = null;
        var ready = turn.Statement(SelectReadySql).With(queue);
        while (waiting.HasRoom && passed < LookPast && ready.Step())
        {
            if (!ready.IsNull(8) && ready.Int64(8) <= turn.Now)
            {
                passed++;
                (expired ??= []).Add(ready.Int64(0));
            }
            else if (waiting.Knows(ready.Int64(1)))
            {
                waiting.Reserved.Add(ReadReady(turn, ready, waiting.Owner, queueName));
            }
            else
            {
                passed++;
                (unknown ??= []).Add((ready.Int64(0), ready.Int64(1)));
            }
        }

        ready.Reset();
        foreach (ref var task in CollectionsMarshal.AsSpan(waiting.Reserved)[first..])
        {
            turn.Start(task.Lease.Id.Value, waiting.Owner);
            if (Attempts.WasLost(turn, task.Lease.Id.Value, task.Attempt))
            {
                task = task with { WasLost = true };
            }
        }

        expired?.ForEach(id => Expiry.End(turn, id));
        _looksOn |= expired is not null; // What stands behind them may not have been seen.
        if (unknown is not null)
        {
            _parking.Park(turn, unknown);
        }
    }

    private static ReservedTask ReadReady(Turn turn, SqliteStatement row, long owner, string queue) => new()
    {
        Lease = Leases.Of(row.Int64(0), owner, row.Int64(3) + 1),
        Name = turn.TextOf(row.Int64(1)),
        Queue = queue,
        Attempt = row.Int32(4) + 1,
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(6)),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(2)),
        Timeout = row.IsNull(7) ? null : TimeSpan.FromMilliseconds(row.Int64(7)),
        Retry = RetryText.Read(row.IsNull(9) ? null : row.Text(9), row.Int32(5)),
        Trace = row.IsNull(10) ? null : row.Text(10),
        Payload = row.Blob(11),
    };

    /// <summary>A worker that got something is told, and waits no more.</summary>
    internal override void Committed(Effects effects)
    {
        Hear(effects);
        _undelivered.Clear();
        _waiting.Deliver(static waiting => waiting.Reserved.Count > 0);
    }

    internal override ValueTask TidyAsync(Turn? reader)
    {
        _waiting.EndExpired();
        return default;
    }

    internal override void Failed(Exception exception) => _waiting.FailAll(exception);

    internal override void Close(Exception disposed) => _waiting.FailAll(disposed);

    private void Hear(Effects effects)
    {
        if (effects.IsReady && _heard != effects)
        {
            _heard = effects;
            _readyVersion++;
        }
    }
}
