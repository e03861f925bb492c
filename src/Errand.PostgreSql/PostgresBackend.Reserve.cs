using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>Reserve: workers wait in a list of the loop's, holding no connection; each turn fills what it can.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>The owner of a task that nobody runs.</summary>
    private const long Nobody = 0;

    private readonly List<(long Turn, long Owner)> _undelivered = []; // Transactions that may have started what nobody heard of.
    private readonly List<(long Turn, long Owner)> _released = []; // Of those, what this turn gives back.
    private long _readyVersion; // Rises whenever tasks may have become ready; who has seen all of this version has seen all.
    private long _floorVersion; // Rises whenever a task may have come to stand before a floor.
    private int _turnOfQueue;
    private bool _pendingInTurn; // This turn inserts what may be due, and hands it to nobody.
    private readonly HashSet<(string Queue, string Name)> _left = []; // New in this turn, due, and handed to nobody.

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

    /// <summary>Each worker that has not seen all has one of its queues looked at in a turn; with nothing there, the next.</summary>
    private void Fill(TurnBatch batch)
    {
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion != _readyVersion && waiting.Room() is > 0 and var room)
            {
                waiting.BeginLook(_readyVersion);
                if (waiting.QueueInTurn is { } queue)
                {
                    Reserve(batch, waiting, queue, room);
                }
                else
                {
                    LookForQueues(batch, waiting);
                }
            }
        }
    }

    // One statement for each queue: several in one would be sorted as a whole. The ids are fetched first because the plan of any
    // other form may scan the table. language=postgresql
    internal const string ReserveSql = """
        update errand.tasks t
        set    state = 12, owner = @owner, epoch = t.epoch + 1, attempt = t.attempt + 1, turn = @turn,
               started = (select errand.now_ms(@now))
        where  t.id = any(array(
            select id
            from   errand.tasks
            where  queue = @queue and state = 10 and name = any(@names)
            and    (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
            and    (expires is null or expires > (select errand.now_ms(@now)))
            and    not exists (select from errand.paused_queues where queue = @queue)
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
                var place = new Floor(row.GetInt32(11), row.GetInt64(2), task.Lease.Id.Value);
                last = last.IsBefore(place) ? place : last;
                waiting.Reserved.Add((place.Rank, task));
                waiting.Looked++;
            })
            .With("now", TestNow).With("owner", waiting.Owner).With("turn", _turn).With("queue", _names.IdOf(queue)).With("names", worker.NameIds)
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
        Lease = new TaskLease { Id = new TaskId(row.GetInt64(0)), Owner = new WorkerId(owner), Epoch = row.GetInt64(3) },
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

    /// <summary>After the commit: who got something hears of it, and waits no more.</summary>
    private void DeliverReserved()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            var waiting = _waiting[i];
            waiting.EndLook();
            waiting.Worker.Seen = (waiting.SeenVersion, waiting.Subscriptions);
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
        where  t.state = 12 and t.owner = s.owner and t.turn = s.turn and t.cancelled is null
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
}
