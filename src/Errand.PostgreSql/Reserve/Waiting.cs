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
    private List<string>? _queues; // Still to be looked at, in that order; null until it is known.
    private int _looksLeft = request.Queues.Count; // Before a wait that is over may end.
    private long _restUntil; // How long it need not be asked again which queues there are.
    private readonly List<Look> _looks = []; // Of this turn.
    private Action? _afterLook; // What it learns of which queues there are.

    public IEnumerable<string> Names => Request.Queues.Where(queue => !queue.IsPattern).Select(queue => queue.Queue);

    internal LocalWorker Worker => _worker ?? throw new InvalidOperationException("The worker does not wait yet.");

    internal bool HasTasks => _reserved.Count > 0;

    /// <summary>Whether this turn gives it something, if it is committed.</summary>
    internal bool MayBeGiven => _looks.Count > 0 || _handedOff.Count > 0 || _reserved.Count > 0;

    /// <summary>The queues in turn; null when it must first be looked which queues there are.</summary>
    /// <remarks>Several share the room only where a pattern has many of them, each with little: one alone is given all of it.</remarks>
    internal List<string>? QueuesInTurn(int room) =>
        _queues?.GetRange(0, Math.Min(Math.Min(_hasPatterns ? Worker.Width : 1, _queues.Count), room));

    internal int Room => RoomBeside(_handedOff.Count + _reserved.Count);

    /// <summary>
    /// Its time is over, and it has looked at each of its queues since it came; or nothing may be given any more.
    /// </summary>
    internal override bool IsOver => IsBroken || Deadline <= _time.GetTimestamp()
        && (_looksLeft <= 0 || SeenVersion == readiness.Version || Room <= 0 || schema.Outdated is not null);

    private int RoomBeside(int taken) =>
        Math.Min(Request.MaxTasks, FreeSlots()) - taken;

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

    /// <summary>Which queues have tasks is not asked again while what is known of it is fresh.</summary>
    private void TakeRest()
    {
        if (Request.Wait != TimeSpan.Zero
            && Worker.TakeRest(Request.Queues, _time.GetTimestamp()) is { } rest)
        {
            (_queues, _lookVersion, _restUntil) = (rest.Queues, rest.Version, rest.Until);
        }
    }

    /// <summary>
    /// How long what is known of the ready queues of a pattern serves the next waits as well: the longer, the more there are, so
    /// that asking for them stays a small part of the work.
    /// </summary>
    private static TimeSpan RestAge(int queues) => TimeSpan.FromMilliseconds(Math.Clamp(queues / 5, 100, 1_000));

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
        if (_queues is null)
        {
            TakeRest();
        }

        if (_lookVersion == version || (_hasPatterns && _queues is not null))
        {
            return; // What was learnt of the queues is used before it is asked for again.
        }

        _lookVersion = version;
        _queues = _hasPatterns
            ? null
            : [.. Worker.Rotation.Next(Request.Queues).Select(place => Request.Queues[place].Queue)];
    }

    /// <summary>It asks a queue in turn for that many tasks.</summary>
    internal Look Ask(string queue, int count)
    {
        var look = new Look(queue, count);
        _looks.Add(look);
        return look;
    }

    /// <summary>It asks which queues have tasks.</summary>
    internal void AskForQueues(Action afterLook) => _afterLook = afterLook;

    internal void Give(Look look, int rank, ReservedTask task)
    {
        _reserved.Add((rank, task));
        look.NoteGiven();
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
        _restUntil = _time.GetTimestamp() + (long)(RestAge(_queues.Count).TotalSeconds * _time.TimestampFrequency);
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
        if (_looks.Count > 0 && _queues is { } queues)
        {
            NoteLooks(left, queues);
        }

        _looks.Clear();
        Worker.SawAll(SeenVersion, Request.Queues);
    }

    /// <summary>A queue that gave all that was asked for is looked at again; the others are done with.</summary>
    private void NoteLooks(LeftTasks? left, List<string> queues)
    {
        List<string> full = [];
        foreach (var look in _looks)
        {
            _looksLeft--;
            look.Committed();
            Worker.NoteLook(look.Queue, look.IsFull);
            if (look.IsFull)
            {
                full.Add(look.Queue);
            }
            else
            {
                left?.Took(look.Queue, Worker);
            }
        }

        queues.RemoveRange(0, _looks.Count);
        queues.InsertRange(0, full);
        Worker.NoteWidth(full.Count > 0);
        if (queues.Count == 0)
        {
            NoteSeenAll();
        }
    }

    /// <summary>After a failure: it was given nothing.</summary>
    internal void TakeBack()
    {
        _reserved.Clear();
        _handedOff.Clear();
        _looks.Clear();
        _afterLook = null;
        _lookVersion = -1;
        _queues = null;
    }

    protected override IReadOnlyList<ReservedTask> Take()
    {
        // What an update returns is in no order.
        IReadOnlyList<ReservedTask> taken =
        [
            .. _reserved.OrderBy(one => one.Rank).ThenBy(one => one.Task.DueAt).ThenBy(one => one.Task.Lease.Id)
                .Select(one => one.Task),
        ];
        _reserved.Clear();
        if (_queues is { } left)
        {
            if (_hasPatterns && Request.Queues.Count == 1 && left.Count > 0)
            {
                // Of thousands of queues, each with little, the next look takes those that are left.
                Worker.KeepRest(left, _lookVersion, Request.Queues, _restUntil);
            }

            // With several subscriptions the next look begins by their weights again.
            (_queues, _lookVersion) = (null, -1);
        }

        _looksLeft = Request.Queues.Count;
        return taken;
    }
}
