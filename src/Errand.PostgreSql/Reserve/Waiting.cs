namespace Errand.PostgreSql.Reserve;

/// <summary>
/// A worker that waits for tasks: which of its queues it looks at next, and what it has been given in this turn.
/// </summary>
internal sealed class Waiting(
    ReserveRequest request, TimeProvider time, Readiness readiness, SchemaWatch schema, Action<Waiting> join)
    : WaitingWorker<Turn>(request, time), IUsesNames
{
    private readonly TimeProvider _time = time;
    private readonly bool _hasPatterns = request.Queues.Any(queue => queue.IsPattern);
    // New tasks of this turn that are inserted as its own.
    private readonly List<(NewTask Task, long Id)> _handedOff = [];
    private readonly List<(int Rank, ReservedTask Task)> _reserved = [];
    private LocalWorker? _worker;
    private long _lookVersion = -1; // The version that its queues are being looked at for.
    private List<string>? _queues; // In the order in which they are looked at; null until that is known.
    private int _queue; // The one in turn.
    private int _looksLeft = request.Queues.Count; // Before a wait that is over may end.
    private int _asked; // How many tasks it asked of the queue in turn; 0 when it did not ask.
    private int _given; // How many of them it was given.
    private Action? _afterLook;

    public IEnumerable<string> Names => Request.Queues.Where(queue => !queue.IsPattern).Select(queue => queue.Queue);

    internal LocalWorker Worker => _worker ?? throw new InvalidOperationException("The worker does not wait yet.");

    internal bool HasTasks => _reserved.Count > 0;

    /// <summary>Whether this turn gives it something, if it is committed.</summary>
    internal bool MayBeGiven => _asked > 0 || _handedOff.Count > 0 || _reserved.Count > 0;

    /// <summary>Null when it must first be looked which queues there are.</summary>
    internal string? QueueInTurn => _queues?[_queue];

    internal int Room => RoomBeside(_handedOff.Count + _reserved.Count);

    /// <summary>
    /// Its time is over, and it has looked at each of its queues since it came; or nothing may be given any more.
    /// </summary>
    internal override bool IsOver => Deadline <= _time.GetTimestamp()
        && (_looksLeft <= 0 || SeenVersion == readiness.Version || Room <= 0 || schema.Outdated is not null);

    private int RoomBeside(int taken) =>
        Math.Min(Request.MaxTasks, FreeSlots) - taken;

    internal override void Hear() => join(this);

    /// <summary>It is in the list of those that wait, and is known to be a worker of this backend.</summary>
    internal void Begin(LocalWorker worker)
    {
        _worker = worker;

        // What its last wait has seen need not be looked through again; a worker that does not wait asks the store
        // itself.
        if (Request.Wait != TimeSpan.Zero && worker.LastSeen(Request.Queues) is { } version)
        {
            NoteSeen(version);
        }
    }

    internal bool Takes(NewTask task)
    {
        if (!Worker.Knows(task.Name))
        {
            return false;
        }

        foreach (var subscription in Request.Queues)
        {
            if (subscription.Matches(task.Queue))
            {
                return true;
            }
        }

        return false;
    }

    internal void HandOff(NewTask task, long id) => _handedOff.Add((task, id));

    /// <summary>Those of the tasks handed to it that were started; the others' queues were found paused.</summary>
    internal void HandedOff(long now, HashSet<long> started)
    {
        foreach (var (task, id) in _handedOff)
        {
            if (started.Contains(id))
            {
                _reserved.Add((~task.Priority, task.HandOff(id, Owner, now, now)));
            }
        }

        _handedOff.Clear();
    }

    internal void BeginLook(long version)
    {
        if (_lookVersion == version || (_hasPatterns && _queues is not null))
        {
            return; // What was learnt of the queues is used before it is asked for again.
        }

        _lookVersion = version;
        _queue = 0;
        _queues = _hasPatterns
            ? null
            : [.. Worker.Rotation.Next(Request.Queues).Select(place => Request.Queues[place].Queue)];
    }

    /// <summary>It asks the queue in turn for that many tasks.</summary>
    internal void Ask(int count, Action afterLook)
    {
        _asked = count;
        _afterLook = afterLook;
    }

    /// <summary>It asks which queues have tasks.</summary>
    internal void AskForQueues(Action afterLook) => _afterLook = afterLook;

    internal void Give(int rank, ReservedTask task)
    {
        _reserved.Add((rank, task));
        _given++;
    }

    /// <summary>
    /// It is known which queues have tasks ready; among those of one pattern each is first in its turn.
    /// </summary>
    internal void SetQueues(List<string> ready, int turn)
    {
        HashSet<string> queues = new(StringComparer.Ordinal);
        foreach (var place in Worker.Rotation.Next(Request.Queues))
        {
            for (var i = 0; i < ready.Count; i++)
            {
                if (ready[(i + turn) % ready.Count] is var queue && Request.Queues[place].Matches(queue))
                {
                    queues.Add(queue);
                }
            }
        }

        _queues = [.. queues];
        _looksLeft = Math.Max(_looksLeft, _queues.Count);
        if (_queues.Count == 0)
        {
            NoteSeenAll();
        }
    }

    private void NoteSeenAll()
    {
        _looksLeft = 0;
        NoteSeen(_lookVersion);
        _queues = null;
    }

    /// <summary>After the commit.</summary>
    /// <param name="left">New tasks of the turn that were handed to nobody.</param>
    internal void EndLook(LeftTasks? left)
    {
        _afterLook?.Invoke();
        _afterLook = null;
        if (_asked > 0 && QueueInTurn is { } queue)
        {
            _looksLeft--;
            Worker.NoteLook(queue, isFull: _given == _asked);
            if (_given < _asked)
            {
                left?.Took(queue, Worker);
                if (++_queue == _queues!.Count)
                {
                    NoteSeenAll();
                }
            }
        }

        _asked = 0;
        _given = 0;
        Worker.SawAll(SeenVersion, Request.Queues);
    }

    /// <summary>After a failure: it was given nothing.</summary>
    internal void TakeBack()
    {
        _reserved.Clear();
        _handedOff.Clear();
        _asked = 0;
        _given = 0;
        _afterLook = null;
        _lookVersion = -1;
        _queues = null;
    }

    internal override void Complete()
    {
        // What an update returns is in no order.
        Result =
        [
            .. _reserved.OrderBy(one => one.Rank).ThenBy(one => one.Task.DueAt).ThenBy(one => one.Task.Lease.Id)
                .Select(one => one.Task),
        ];
        base.Complete();
    }
}
