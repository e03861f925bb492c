using System.Runtime.InteropServices;

namespace Errand.Sqlite.Reserve;

/// <summary>
/// Reserve: workers wait in a list of the writer's; each turn fills what it can, by priority, due time and id.
/// </summary>
internal sealed class Reserving : Part<Turn>
{
    /// <summary>Expired tasks that one look at a queue ends at most; the next continues.</summary>
    private const int ExpiredInLook = 1_000;

    private readonly WaitingWorkers<Turn, Waiting> _waiting;
    private readonly Incarnations _incarnations;
    private readonly Pauses _pauses;
    private readonly Parking _parking;
    private readonly Promotion _promotion;
    private readonly RunningTasks _running;
    private readonly TimeProvider _time;
    private readonly ReadyTasks _ready = new();
    private readonly Dictionary<string, ReadyQueues> _patterns = new(StringComparer.Ordinal);
    private readonly HashSet<(long Owner, long Queue)> _empty = []; // Queues seen to have nothing for a worker, in this transaction.
    private readonly List<TaskLease> _undelivered = []; // Started by a commit whose outcome is unknown: not to be orphaned.
    private Effects? _heard; // The transaction whose readiness the version has counted.
    private long _readyVersion; // Rises whenever tasks may have become ready; whoever has seen all of this version has seen all.
    private bool _looksOn; // Of this turn: there may be more for a worker than was looked at.
    private bool _cut; // Of this turn: a look at the queues of a pattern was cut, and continues.
    private bool _parksOn; // Of this turn: there may be more to park, which is in no hurry.

    internal Reserving(
        WaitingWorkers<Turn, Waiting> waiting, Incarnations incarnations, Pauses pauses, Parking parking, Promotion promotion,
        RunningTasks running, TimeProvider time)
    {
        _waiting = waiting;
        _incarnations = incarnations;
        _pauses = pauses;
        _parking = parking;
        _promotion = promotion;
        _running = running;
        _time = time;
        _incarnations.WhenDropped(_waiting.FailOf);
    }

    internal override Moments Hears =>
        Moments.Doubted | Moments.Plan | Moments.HasWork | Moments.Began | Moments.Fill | Moments.Committed | Moments.Tidy;

    internal override bool NeedsStore => _waiting.Count > 0;

    /// <inheritdoc cref="IBackend.ReserveAsync"/>
    internal ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken)
    {
        return _waiting.ReserveAsync(new Waiting(this, Arguments.Copy(request), _time), cancellationToken);
    }

    internal LocalWorker? WorkerOf(long owner) => _incarnations.Find(owner);

    internal void Add(Waiting worker) => _waiting.Add(worker);

    internal override void Plan(Agenda agenda)
    {
        _waiting.Plan(agenda);
        if ((_looksOn || _cut) && HasWork(0))
        {
            agenda.In(TimeSpan.Zero);
        }
    }

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
        if (why is not (Doubt.Polled or Doubt.OthersWrote))
        {
            _patterns.Clear(); // Names may have other numbers now.
            foreach (var waiting in _waiting)
            {
                waiting.ForgetQueues();
            }
        }

        if (why is Doubt.RolledBack or Doubt.OutcomeUnknown)
        {
            foreach (var waiting in _waiting)
            {
                if (why == Doubt.OutcomeUnknown)
                {
                    _undelivered.AddRange(waiting.Started.Select(started => started.Task.Lease));
                }

                waiting.TakeBack();
            }
        }
    }

    /// <summary>Whoever was never told of a task does not run it: it waits again, uncharged.</summary>
    internal override void Began(Turn turn)
    {
        _empty.Clear();
        foreach (var lease in _undelivered)
        {
            Settling.Release(turn, lease);
        }
    }

    /// <summary>
    /// Inserts a new task that is due: as running for a worker that waits on its queue, knows its name and has room,
    /// but only while no earlier task is ready for that worker, as seen inside this transaction; else as pending.
    /// </summary>
    internal void Offer(Turn turn, NewTask task, long id, long queue, long name, long due)
    {
        if (TakerOf(turn, queue, name) is { } taker)
        {
            turn.Insert(task, id, queue, name, due, taker.Owner);
            taker.Started.Add(
                new RunningTask(task.HandOff(id, taker.Owner, turn.Now, due), queue, name, task.Priority, turn.Now));
        }
        else
        {
            turn.Insert(task, id, queue, name, due, Turn.Nobody);
            _empty.Clear();
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
                return IsEmpty(turn, waiting, queue) ? waiting : null;
            }
        }

        return null;
    }

    private bool IsEmpty(Turn turn, Waiting waiting, long queue)
    {
        if (_empty.Contains((waiting.Owner, queue)))
        {
            return true;
        }

        if (waiting.Worker is not { } worker || ReadyTasks.HasAny(turn, queue, worker))
        {
            return false;
        }

        _empty.Add((waiting.Owner, queue));
        return true;
    }

    internal override void Fill(Turn turn)
    {
        Hear(turn.Effects);
        _looksOn = _parksOn = _cut = false;
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion == _readyVersion || !waiting.HasRoom)
            {
                continue;
            }

            var sawAll = true;
            foreach (var place in waiting.NextOrder())
            {
                sawAll &= Reserve(turn, waiting, waiting.Request.Queues[place]);
            }

            if (sawAll)
            {
                waiting.NoteSeen(_readyVersion);
            }
        }

        if (_looksOn || _parksOn)
        {
            _readyVersion++;
        }
    }

    /// <summary>Whether a turn without operations has anything to do, as far as a read can tell: better once too often.</summary>
    internal bool IsWorthATurn(Turn reader)
    {
        if (_promotion.IsDue(reader) || _parking.HasWork(reader.Now))
        {
            return true;
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion != _readyVersion && waiting.HasRoom && waiting.Worker is { } worker
                && IsAnythingFor(reader, waiting, worker))
            {
                return true;
            }
        }

        _looksOn = _cut = false;
        return false;
    }

    private bool IsAnythingFor(Turn reader, Waiting waiting, LocalWorker worker)
    {
        foreach (var subscription in waiting.Request.Queues)
        {
            if (!subscription.IsPattern)
            {
                if (reader.Names.Find(reader.Database, subscription.Queue) is { } queue
                    && (ReadyTasks.HasAny(reader, queue, worker) || Parking.IsAnyUnknown(reader, queue)))
                {
                    return true;
                }

                continue;
            }

            var round = waiting.RoundOf(subscription, _readyVersion);
            if (round.IsDone)
            {
                continue;
            }

            var queues = PatternOf(subscription);
            queues.Begin(reader, round.Copy());
            while (queues.Next(reader) is { } queue)
            {
                if (ReadyTasks.HasAny(reader, queue, worker) || Parking.IsAnyUnknown(reader, queue))
                {
                    return true;
                }
            }

            if (queues.IsCut)
            {
                return true;
            }
        }

        return false;
    }

    private ReadyQueues PatternOf(QueueSubscription subscription)
    {
        if (!_patterns.TryGetValue(subscription.Queue, out var queues))
        {
            _patterns.Add(subscription.Queue, queues = new ReadyQueues(subscription));
        }

        return queues;
    }

    /// <returns>
    /// True if it has seen all that is ready there. Free room afterwards does not tell that: a slot may become free during the look.
    /// </returns>
    private bool Reserve(Turn turn, Waiting waiting, QueueSubscription subscription)
    {
        if (!waiting.HasRoom)
        {
            return false;
        }

        if (!subscription.IsPattern)
        {
            return Reserve(turn, waiting, turn.IdOf(subscription.Queue), subscription.Queue);
        }

        var round = waiting.RoundOf(subscription, _readyVersion);
        if (round.IsDone)
        {
            return true;
        }

        var queues = PatternOf(subscription);
        queues.Begin(turn, round);
        var sawAll = true;
        while (queues.Next(turn) is { } queue)
        {
            if (!waiting.HasRoom)
            {
                sawAll = false;
                break;
            }

            var before = waiting.Started.Count;
            sawAll &= Reserve(turn, waiting, queue, turn.TextOf(queue));
            if (waiting.Started.Count > before)
            {
                queues.NoteServed(queue);
            }
        }

        round.NoteLooked(queues.IsCut, sawAll);
        _cut |= queues.IsCut;
        return sawAll && !queues.IsCut;
    }

    private bool Reserve(Turn turn, Waiting waiting, long queue, string queueName)
    {
        if (_pauses.IsPaused(queue) || waiting.Worker is not { } worker)
        {
            return true;
        }

        var first = waiting.Started.Count;
        var sawAll = false;
        List<long>? expired = null;
        _ready.Open(turn, queue, worker);
        while (waiting.HasRoom && !(expired?.Count >= ExpiredInLook))
        {
            if (_ready.Next() is not { } row)
            {
                sawAll = true;
                break;
            }

            if (!row.IsNull(8) && row.Int64(8) <= turn.Now)
            {
                (expired ??= []).Add(row.Int64(0));
            }
            else
            {
                waiting.Started.Add(new RunningTask(
                    ReadReady(turn, row, waiting.Owner, queueName), queue, row.Int64(1), row.Int64(12), turn.Now));
            }
        }

        _ready.Close();
        foreach (ref var started in CollectionsMarshal.AsSpan(waiting.Started)[first..])
        {
            var id = started.Task.Lease.Id.Value;
            turn.Start(id, waiting.Owner);
            if (Attempts.WasLost(turn, id, started.Task.Attempt))
            {
                started = started with { Task = started.Task with { WasLost = true } };
            }
        }

        expired?.ForEach(id => Expiry.End(turn, id));
        _looksOn |= expired is not null; // What stands behind them may not have been seen.
        if (waiting.HasRoom)
        {
            _parksOn |= _parking.ParkUnknown(turn, queue);
        }

        return sawAll;
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
        Headers = row.IsNull(10) ? null : row.Text(10),
        Payload = row.Blob(11),
    };

    /// <summary>A worker that got something is told, and waits no more.</summary>
    internal override void Committed(Effects effects)
    {
        Hear(effects);
        _undelivered.Clear();
        foreach (var waiting in _waiting)
        {
            _running.Add(waiting.Started);
        }

        _waiting.Deliver(static waiting => waiting.Started.Count > 0);
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
