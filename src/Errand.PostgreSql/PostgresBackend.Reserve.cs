using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>Reserve: workers wait in a list of the loop's, holding no connection; each turn fills what it can.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>The owner of a task that nobody runs.</summary>
    private const long Nobody = 0;

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    /// <summary>Tasks at the head of a queue among which unknown names are looked for.</summary>
    private const int LookPast = 1_000;

    private readonly List<ReserveOperation> _waiting = [];
    private readonly List<(long Turn, long Owner)> _undelivered = []; // Transactions that may have started what nobody heard of.
    private readonly List<(long Turn, long Owner)> _released = []; // Of those, what this turn gives back.
    private long _readyVersion; // Rises whenever tasks may have become ready; who has seen all of this version has seen all.
    private long _floorVersion; // Rises whenever a task may have come to stand before a floor.
    private long _nextDue; // The due time of the first scheduled task, by the server's clock; 0 when not known.
    private long _serverTime; // As last heard.
    private long _serverTimeHeard; // When, on the monotonic clock.
    private int _turnOfQueue;
    private bool _pendingInTurn; // This turn inserts what may be due, and hands it to nobody.
    private readonly HashSet<(string Queue, string Name)> _left = []; // New in this turn, due, and handed to nobody.

    /// <summary>What stands for the server's clock in tests; null otherwise.</summary>
    private long? TestNow => _options.ServerClock?.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>About the time of the server: good enough to know when to ask it.</summary>
    private long ServerTime => TestNow ?? _serverTime + (long)_time.GetElapsedTime(_serverTimeHeard).TotalMilliseconds;

    private bool HasWorkForWaiting
    {
        get
        {
            foreach (var waiting in _waiting)
            {
                if ((waiting.SeenVersion != _readyVersion || _nextDue <= ServerTime) && waiting.Room() > 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.MaxTasks, 1, nameof(request));
        cancellationToken.ThrowIfCancellationRequested();
        var operation = new ReserveOperation(this, request);
        Submit(operation);

        // The answer is always waited for: a task that was reserved at the moment of cancellation is not lost.
        await using (EndWaitWhenCancelled(operation, cancellationToken).ConfigureAwait(false))
        {
            var reserved = await operation.Completion.ConfigureAwait(false);
            if (reserved.Count == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            return reserved;
        }
    }

    private static CancellationTokenRegistration EndWaitWhenCancelled(ReserveOperation operation, CancellationToken token) =>
        token.UnsafeRegister(
            static state =>
            {
                var operation = (ReserveOperation)state!;
                operation.Backend._inbox.Writer.TryWrite(new EndReserveNote(operation));
            },
            operation);

    // language=postgresql
    private const string PromoteSql = """
        update errand.tasks
        set    state = 10, parked = null
        where  id = any(array(
            select id
            from   errand.tasks
            where  state = 11 and due <= errand.now_ms(@now)
            order by due
            limit  @count
            for update skip locked))
        returning id
        """;

    // language=postgresql
    private const string NextDueSql = """
        select errand.now_ms(@now), (select due from errand.tasks where state = 11 order by due limit 1)
        """;

    /// <summary>Scheduled tasks whose time has come become pending: only when a worker waits, since nobody else can tell.</summary>
    private void Promote(TurnBatch batch)
    {
        if (_waiting.Count == 0 || _nextDue > ServerTime)
        {
            return;
        }

        batch
            .Add(PromoteSql, _ => { }).With("now", TestNow).With("count", PromotionBatch)
            .Add(NextDueSql, row =>
            {
                NoteServerTime(row.GetInt64(0));
                _nextDue = row.IsDBNull(1) ? long.MaxValue : row.GetInt64(1);
            }).With("now", TestNow);
        _floorVersion++;
        _readyVersion++;
    }

    private void NoteServerTime(long time)
    {
        _serverTime = time;
        _serverTimeHeard = _time.GetTimestamp();
    }

    private void NoteScheduled(long due) => _nextDue = Math.Min(_nextDue, due);

    /// <summary>Each worker that has not seen all has one of its queues looked at in a turn; with nothing there, the next.</summary>
    private void Fill(TurnBatch batch)
    {
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion != _readyVersion && waiting.Room() is > 0 and var room)
            {
                waiting.BeginLook(_readyVersion, _turnOfQueue++);
                Reserve(batch, waiting, waiting.QueueInTurn, room);
            }
        }
    }

    // One statement for each queue: several in one would be sorted as a whole. The ids are fetched first because the plan of any
    // other form may scan the table. language=postgresql
    internal const string ReserveSql = """
        update errand.tasks t
        set    state = 12, owner = @owner, epoch = t.epoch + 1, attempt = t.attempt + 1, turn = @turn
        where  t.id = any(array(
            select id
            from   errand.tasks
            where  queue = @queue and state = 10 and name = any(@names)
            and    (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
            order by rank, due, id
            limit  @count
            for update skip locked))
        returning t.id, t.name, t.due, t.epoch, t.attempt, t.max_attempts, t.enqueued, t.timeout, t.retry, t.trace, t.payload, t.rank
        """;

    private void Reserve(TurnBatch batch, ReserveOperation waiting, string queue, int room)
    {
        var worker = waiting.Worker;
        var floor = worker.FloorOf(queue, _floorVersion);
        var last = floor;
        batch
            .Add(ReserveSql, row =>
            {
                var task = ReadReady(row, waiting.Owner, queue);
                var place = new Floor(row.GetInt32(11), row.GetInt64(2), task.Lease.Id);
                last = last.IsBefore(place) ? place : last;
                waiting.Reserved.Add((place.Rank, task));
                waiting.Looked++;
            })
            .With("owner", waiting.Owner).With("turn", _turn).With("queue", _names.IdOf(queue)).With("names", worker.NameIds)
            .With("floor_rank", floor.Rank).With("floor_due", floor.Due).With("floor_id", floor.Id).With("count", room);
        waiting.Asked = room;
        var version = _floorVersion;
        waiting.AfterLook = () => worker.SetFloor(queue, last, version);
        if (!worker.WasFull(queue))
        {
            ParkUnknown(batch, queue, floor);
        }
    }

    private ReservedTask ReadReady(NpgsqlDataReader row, long owner, string queue) => new()
    {
        Lease = new TaskLease(row.GetInt64(0), owner, row.GetInt64(3)),
        Name = _names.TextOf(row.GetInt32(1)),
        Queue = queue,
        Attempt = row.GetInt32(4),
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)),
        Timeout = row.IsDBNull(7) ? null : TimeSpan.FromMilliseconds(row.GetInt64(7)),
        Retry = RetryText.Read(row.IsDBNull(8) ? null : row.GetString(8), row.GetInt32(5)),
        Trace = row.IsDBNull(9) ? null : row.GetString(9),
        Payload = row.GetFieldValue<byte[]>(10),
    };

    // language=postgresql
    private const string ParkSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        update errand.tasks t
        set    state = 11, parked = 1, due = now + @parking
        from   clock, errand.names n
        where  n.id = t.name
        and    t.state + 0 = 10
        and    t.id = any(array(
            select r.id
            from   (
                select id, name
                from   errand.tasks
                where  queue = @queue and state = 10 and (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
                order by rank, due, id
                limit  @count) r
            where  not exists (select from errand.worker_names w where w.name = r.name)))
        returning t.id, t.due, n.text
        """;

    /// <summary>
    /// A task whose name no live worker knows is put aside, so that it neither blocks others nor burns attempts. Not looked for
    /// while there is plenty of what is known.
    /// </summary>
    private void ParkUnknown(TurnBatch batch, string queue, Floor floor) => batch
        .Add(ParkSql, row =>
        {
            var (id, text) = (row.GetInt64(0), row.GetString(2));
            _reports.Add(() => Log.Parked(_logger, id, text, Defaults.UnknownNameParking));
            NoteScheduled(row.GetInt64(1));
        })
        .With("now", TestNow).With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds)
        .With("queue", _names.IdOf(queue)).With("count", LookPast)
        .With("floor_rank", floor.Rank).With("floor_due", floor.Due).With("floor_id", floor.Id);

    /// <summary>After the commit: who got something hears of it, and waits no more.</summary>
    private void DeliverReserved()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            var waiting = _waiting[i];
            waiting.EndLook();
            waiting.Worker.Seen = (waiting.SeenVersion, waiting.Queues);
            if (waiting.Reserved.Count > 0)
            {
                _waiting.RemoveAt(i);
                waiting.Complete();
            }
        }

        _wakeOwed |= _left.Count > 0;
    }

    /// <summary>After a failure: nobody got anything, unless the answer was lost and the commit was done after all.</summary>
    private void TakeBackReserved(bool mayBeDone)
    {
        foreach (var waiting in _waiting)
        {
            if (mayBeDone && (waiting.Asked > 0 || waiting.WasHandedOff))
            {
                _undelivered.Add((_turn, waiting.Owner));
            }

            waiting.TakeBack();
        }
    }

    // language=postgresql
    private const string ReleaseTurnSql = """
        update errand.tasks t
        set    state = 10, owner = 0, attempt = t.attempt - 1
        from   unnest(@turns, @owners) as s (turn, owner)
        where  t.state = 12 and t.owner = s.owner and t.turn = s.turn
        returning t.id
        """;

    private void ReleaseUndelivered(TurnBatch batch)
    {
        _released.Clear();
        _released.AddRange(_undelivered);
        if (_released.Count > 0)
        {
            batch.Add(ReleaseTurnSql, _ => { })
                .With("turns", _released.ConvertAll(one => one.Turn).ToArray())
                .With("owners", _released.ConvertAll(one => one.Owner).ToArray());
            _floorVersion++;
            NoteReady();
        }
    }

    /// <summary>A task with a higher priority than what was taken last stands before the floor of its queue.</summary>
    private void ForgetFloorsAbove(NewTask task)
    {
        foreach (var worker in _workers.Values)
        {
            worker.ForgetFloorAbove(task.Queue, ~task.Priority);
        }
    }

    /// <summary>Before the statements of a transaction are made.</summary>
    private void BeginParts()
    {
        _newRows.Clear();
        _knownRows.Clear();
        _inserted.Clear();
        _successes.Clear();
        _failures.Clear();
        _retries.Clear();
        _releases.Clear();
        _settling.Clear();
        _settled.Clear();
        _afterCommit.Clear();
        _pendingInTurn = false;
        _left.Clear();
    }

    /// <summary>After the commit.</summary>
    private void NoteCommitted()
    {
        foreach (var after in _afterCommit)
        {
            after();
        }

        _undelivered.RemoveAll(_released.Contains);
        _settledSinceVacuum += _settled.Count;
    }

    private void FailWaiting(Exception exception)
    {
        foreach (var waiting in _waiting)
        {
            waiting.Fail(exception);
        }

        _waiting.Clear();
    }

    /// <summary>A worker that waits for tasks. It stays in the loop's list until it has some, or its wait ends.</summary>
    private sealed class ReserveOperation(PostgresBackend backend, ReserveRequest request) : Operation<IReadOnlyList<ReservedTask>>
    {
        private LocalWorker? _worker;
        private long _lookVersion = -1; // The version that its queues are being looked at for.
        private int _queue; // The one in turn.
        private int _queuesLeft;
        private int _looksLeft = request.Queues.Count; // Before a wait that is over may end.

        internal PostgresBackend Backend => backend;

        internal override TurnPart Part => TurnPart.Note;

        internal override int Rows => 0;

        internal override IEnumerable<string> Names => Queues;

        internal long Owner => request.Owner;

        internal IReadOnlyList<string> Queues { get; } = [.. request.Queues.Select(queue => queue.Queue)];

        internal LocalWorker Worker => _worker!;

        internal List<(int Rank, ReservedTask Task)> Reserved { get; } = [];

        /// <summary>New tasks of this turn that are inserted as its own.</summary>
        internal List<(NewTask Task, long Id)> HandedOff { get; } = [];

        internal bool WasHandedOff => HandedOff.Count > 0 || Reserved.Count > 0;

        /// <summary>How many it asked of the queue in turn; 0 when it did not ask.</summary>
        internal int Asked { get; set; }

        /// <summary>How many it was given of them.</summary>
        internal int Looked { get; set; }

        internal Action? AfterLook { get; set; }

        internal string QueueInTurn => Queues[_queue];

        /// <summary>When its wait ends, on the monotonic clock: counted from the call, not from when the loop saw it.</summary>
        internal long Deadline { get; } = request.Wait == Timeout.InfiniteTimeSpan
            ? long.MaxValue
            : backend._time.GetTimestamp() + (long)(request.Wait.TotalSeconds * backend._time.TimestampFrequency);

        /// <summary>The version of what is ready of which it has seen everything.</summary>
        internal long SeenVersion { get; private set; } = -1;

        /// <summary>How many more can be started for it now.</summary>
        internal int Room() =>
            Math.Min(request.MaxTasks, request.FreeSlots?.Invoke() ?? int.MaxValue) - HandedOff.Count - Reserved.Count;

        internal bool IsOver => Deadline <= backend._time.GetTimestamp() && (_looksLeft <= 0 || SeenVersion == backend._readyVersion || Room() <= 0);

        internal bool Takes(NewTask task) => Worker.Knows(task.Name) && Queues.Contains(task.Queue, StringComparer.Ordinal);

        internal override void Run(TurnBatch batch)
        {
            if (!backend._workers.TryGetValue(request.Owner, out _worker))
            {
                Fail(new WorkerLostException(request.Owner));
                return;
            }

            // What it has seen all of in its last wait need not be looked through again; who does not wait asks the store itself.
            if (request.Wait != TimeSpan.Zero && ReferenceEquals(_worker.Seen.Queues, request.Queues))
            {
                SeenVersion = _worker.Seen.Version;
            }

            backend._waiting.Add(this);
        }

        internal void BeginLook(long version, int turn)
        {
            if (_lookVersion != version)
            {
                _lookVersion = version;
                _queuesLeft = request.Queues.Count;
                _queue = turn % request.Queues.Count;
            }
        }

        /// <summary>After the commit.</summary>
        internal void EndLook()
        {
            if (Asked > 0)
            {
                _looksLeft--;
                AfterLook?.Invoke();
                Worker.NoteLook(QueueInTurn, isFull: Looked == Asked);
                if (Looked < Asked)
                {
                    backend._left.RemoveWhere(one => one.Queue == QueueInTurn && Worker.Knows(one.Name)); // It got them.
                    _queue = (_queue + 1) % request.Queues.Count;
                    if (--_queuesLeft == 0)
                    {
                        SeenVersion = _lookVersion;
                    }
                }
            }

            Asked = 0;
            Looked = 0;
        }

        /// <summary>After a failure: it got nothing.</summary>
        internal void TakeBack()
        {
            Reserved.Clear();
            HandedOff.Clear();
            Asked = 0;
            Looked = 0;
            _lookVersion = -1;
        }

        internal override void Complete()
        {
            // What an update returns is in no order.
            Result = [.. Reserved.OrderBy(one => one.Rank).ThenBy(one => one.Task.DueAt).ThenBy(one => one.Task.Lease.Id).Select(one => one.Task)];
            base.Complete();
        }
    }

    /// <summary>The caller's wait was cancelled: it is told so, unless it has been given something.</summary>
    private sealed class EndReserveNote(ReserveOperation operation) : Note
    {
        internal override void Run(TurnBatch batch)
        {
            if (operation.Backend._waiting.Remove(operation))
            {
                operation.Complete();
            }
        }
    }
}
