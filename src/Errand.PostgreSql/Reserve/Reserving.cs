using Npgsql;

namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Reserve: workers wait in a list, holding no connection, and each turn fills what it can. A worker that waits may be
/// given a new task as it is inserted.
/// </summary>
internal sealed class Reserving(
    WaitingWorkers<Turn, Waiting> waiting, Incarnations workers, Readiness readiness, SchemaWatch schema,
    StoreClock clock, TimeProvider time, Pauses pauses, Promotion promotion, Parking parking) : Part<Turn>
{
    /// <summary>How old a floor may become: others may have put tasks before it.</summary>
    private static readonly TimeSpan FloorInterval = TimeSpan.FromSeconds(1);

    private long _lastFloor;

    internal override Moments Hears => Moments.Doubted | Moments.Plan | Moments.HasWork | Moments.Began | Moments.Fill
        | Moments.Committing | Moments.Tidy;

    internal override bool NeedsStore => waiting.Count > 0;

    internal ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken) =>
        waiting.ReserveAsync(new Waiting(request, time, readiness, schema, Join), cancellationToken);

    private void Join(Waiting worker)
    {
        if (workers.Find(worker.Owner) is { } known)
        {
            worker.Begin(known);
            waiting.Add(worker);
        }
        else
        {
            worker.Fail(new WorkerLostException(new WorkerId(worker.Owner)));
        }
    }

    internal override void Doubted(Doubt why)
    {
        readiness.Rise();
        readiness.Reorder();
        if (why is Doubt.RolledBack or Doubt.OutcomeUnknown)
        {
            foreach (var worker in waiting)
            {
                worker.TakeBack();
            }
        }
    }

    internal override bool HasWork(long now)
    {
        foreach (var worker in waiting)
        {
            if ((worker.SeenVersion != readiness.Version || promotion.NextDue <= now) && worker.Room > 0)
            {
                return true;
            }
        }

        return false;
    }

    internal override void Plan(Agenda agenda)
    {
        waiting.Plan(agenda);
        if (schema.Outdated is not null)
        {
            return; // Nothing is given any more: a look would find the same again at once.
        }

        var now = clock.Now;
        if (HasWork(now))
        {
            agenda.In(TimeSpan.Zero);
        }

        // A worker without a free slot is not woken for: the settlement that frees it is a turn of its own.
        if (promotion.NextDue != long.MaxValue && HasRoom())
        {
            agenda.In(TimeSpan.FromMilliseconds(Math.Max(1, promotion.NextDue - now)));
        }
    }

    private bool HasRoom()
    {
        foreach (var worker in waiting)
        {
            if (worker.Room > 0)
            {
                return true;
            }
        }

        return false;
    }

    internal override void Began(Turn turn)
    {
        if (time.GetElapsedTime(_lastFloor) >= FloorInterval)
        {
            _lastFloor = time.GetTimestamp();
            readiness.Reorder();
        }
    }

    /// <summary>
    /// The worker that a new task can be handed to as it is inserted: one that waits on the queue, knows the name and
    /// has room, and only while it has seen everything that is known to be ready.
    /// </summary>
    internal Waiting? TakerOf(Turn turn, NewTask task)
    {
        // Of a task with a time of its own, the server's clock decides whether it may start.
        if (task.DueAt is not null || task.Delay > TimeSpan.Zero || task.ExpiresAt is not null
            || pauses.IsPaused(task.Queue))
        {
            return null;
        }

        foreach (var worker in waiting)
        {
            if (worker.Takes(task) && worker.Room > 0)
            {
                return worker.SeenVersion == readiness.Version && !turn.Effects.IsReady ? worker : null;
            }
        }

        return null;
    }

    /// <summary>
    /// Tasks handed off are due, and enqueued, at the server's time of the insert. Not all may have started.
    /// </summary>
    internal void HandedOff(long now, List<long> started)
    {
        if (waiting.Count > 0)
        {
            HashSet<long> ids = [.. started];
            foreach (var worker in waiting)
            {
                worker.HandedOff(now, ids);
            }
        }
    }

    /// <summary>A task with a higher priority than what was taken last stands before the floor of its queue.</summary>
    internal void ForgetFloorsAbove(NewTask task, long id)
    {
        foreach (var worker in workers.All)
        {
            worker.ForgetFloorAbove(task.Queue, ~task.Priority, id);
        }
    }

    /// <summary>
    /// Each worker that has not seen all has one of its queues looked at in a turn; with nothing there, the next. Where
    /// each has little, several share the room.
    /// </summary>
    internal override void Fill(Turn turn)
    {
        var version = readiness.Version + (turn.Effects.IsReady ? 1 : 0);
        foreach (var worker in waiting)
        {
            if (worker.SeenVersion != version && worker.Room is > 0 and var room)
            {
                worker.BeginLook(version);
                if (worker.QueuesInTurn(room) is { } queues)
                {
                    if (queues is [var queue])
                    {
                        Reserve(turn, worker, queue, room);
                    }
                    else
                    {
                        ReserveEach(turn, worker, queues, room / queues.Count);
                    }
                }
                else
                {
                    pauses.AskForReady(turn, worker);
                }
            }
        }
    }

    // The ids are fetched first because the plan of any other form may scan the table. language=postgresql
    private const string TakeSql = """
        update errand.errand_tasks t
        set    state = 12, owner = @owner, epoch = t.epoch + 1, attempt = t.attempt + 1, turn = @turn,
               started = (select errand.errand_now_ms(@now))
        where  t.id = any(array(
        """;

    // language=postgresql
    private const string TakenSql = $"""
        ))
        returning t.id, t.name, t.due, t.epoch, t.attempt, t.max_attempts, t.enqueued, t.timeout, t.retry, t.headers,
            t.payload, t.rank, {Attempts.WasLostSql}, t.queue
        """;

    // language=postgresql
    internal const string ReserveSql = $"""
        {TakeSql}
            select id
            from   errand.errand_tasks
            where  queue = @queue and state = 10 and name = any(@names)
            and    (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
            and    (expires is null or expires > (select errand.errand_now_ms(@now)))
            and    not exists (select from errand.errand_paused_queues where queue = @queue)
            order by rank, due, id
            limit  @count
            for update skip locked
        {TakenSql}
        """;

    // Of several queues, each with little, as many from each. language=postgresql
    internal const string ReserveEachSql = $"""
        {TakeSql}
            select r.id
            from   unnest(@queues, @floor_ranks, @floor_dues, @floor_ids) as q (queue, floor_rank, floor_due, floor_id)
            cross join lateral (
                select id
                from   errand.errand_tasks
                where  queue = q.queue and state = 10 and name = any(@names)
                and    (rank, due, id) >= (q.floor_rank, q.floor_due, q.floor_id)
                and    (expires is null or expires > (select errand.errand_now_ms(@now)))
                and    not exists (select from errand.errand_paused_queues where queue = q.queue)
                order by rank, due, id
                limit  @count
                for update skip locked) as r
        {TakenSql}
        """;

    // Where a queue ends now: a worker that was given less than it asked for need not look through the tasks up to there
    // again, which are of names that it does not know. language=postgresql
    internal const string LastReadySql = """
        select   rank, due, id
        from     errand.errand_tasks
        where    queue = @queue and state = 10
        order by rank desc, due desc, id desc
        limit    1
        """;

    // language=postgresql
    internal const string LastReadyEachSql = """
        select q.queue, l.rank, l.due, l.id
        from   unnest(@queues) as q (queue)
        cross join lateral (
            select   rank, due, id
            from     errand.errand_tasks
            where    queue = q.queue and state = 10
            order by rank desc, due desc, id desc
            limit    1) as l
        """;

    private void Reserve(Turn turn, Waiting waiting, string queue, int room)
    {
        var one = LookInto(turn, waiting, queue, room);
        if (!one.WasFull)
        {
            // Before the reserve: what it does not see, the reserve may see, and not the other way round.
            turn.Add(LastReadySql, row => one.NoteEnd(new Floor(row.GetInt32(0), row.GetInt64(1), row.GetInt64(2))))
                .With("queue", one.Id);
        }

        turn.Start(ReserveSql, row => Take(turn, waiting, one, row))
            .With("now", clock.TestNow).With("owner", waiting.Owner).With("turn", turn.Number)
            .With("queue", one.Id).With("names", waiting.Worker.NameIds).With("floor_rank", one.Floor.Rank)
            .With("floor_due", one.Floor.Due).With("floor_id", one.Floor.Id).With("count", room);
        if (!one.WasFull)
        {
            parking.ParkUnknown(turn, one);
        }
    }

    /// <summary>As <see cref="Reserve"/>, with the statements of all of them in one: a pattern may have thousands of queues.</summary>
    private void ReserveEach(Turn turn, Waiting waiting, List<string> queues, int room)
    {
        var looks = queues.ConvertAll(queue => LookInto(turn, waiting, queue, room));
        var byQueue = looks.ToDictionary(one => one.Id);
        var thin = looks.FindAll(one => !one.WasFull);
        if (thin.Count > 0)
        {
            turn.Add(
                LastReadyEachSql,
                row => byQueue[row.GetInt32(0)].NoteEnd(new Floor(row.GetInt32(1), row.GetInt64(2), row.GetInt64(3))))
                .With("queues", thin.ConvertAll(one => one.Id).ToArray());
        }

        turn.Start(ReserveEachSql, row => Take(turn, waiting, byQueue[row.GetInt32(13)], row))
            .With("now", clock.TestNow).With("owner", waiting.Owner).With("turn", turn.Number).With("names", waiting.Worker.NameIds)
            .With("queues", looks.ConvertAll(one => one.Id).ToArray())
            .With("floor_ranks", looks.ConvertAll(one => one.Floor.Rank).ToArray())
            .With("floor_dues", looks.ConvertAll(one => one.Floor.Due).ToArray())
            .With("floor_ids", looks.ConvertAll(one => one.Floor.Id).ToArray()).With("count", room);
        if (thin.Count > 0)
        {
            parking.ParkUnknownEach(turn, thin);
        }
    }

    private QueueLook LookInto(Turn turn, Waiting waiting, string queue, int room)
    {
        var worker = waiting.Worker;
        var version = readiness.FloorVersion + (turn.IsReordered ? 1 : 0);
        var one = new QueueLook(
            queue, turn.IdOf(queue), worker.FloorOf(queue, version), worker.WasFull(queue), waiting.Ask(queue, room));
        one.Look.Learn(() => worker.SetFloor(queue, one.NextFloor, version));
        return one;
    }

    private static void Take(Turn turn, Waiting waiting, QueueLook one, NpgsqlDataReader row)
    {
        var task = ReadReady(turn, row, waiting.Owner, one.Queue);
        var place = new Floor(row.GetInt32(11), row.GetInt64(2), task.Lease.Id.Value);
        one.NoteTaken(place);
        turn.Session.Ids.Saw(place.Id);
        waiting.Give(one.Look, place.Rank, task);
    }

    private static ReservedTask ReadReady(Turn turn, NpgsqlDataReader row, long owner, string queue) => new()
    {
        Lease = Leases.Of(row.GetInt64(0), owner, row.GetInt64(3)),
        Name = turn.TextOf(row.GetInt32(1)),
        Queue = queue,
        Attempt = row.GetInt32(4),
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)),
        Timeout = row.IsDBNull(7) ? null : TimeSpan.FromMilliseconds(row.GetInt64(7)),
        Retry = RetryText.Read(row.IsDBNull(8) ? null : row.GetString(8), row.GetInt32(5)),
        Headers = row.IsDBNull(9) ? null : row.GetString(9),
        Payload = row.GetFieldValue<byte[]>(10),
        WasLost = row.GetBoolean(12),
    };

    /// <summary>
    /// After the commit, and before anything else: a worker that asks again in time for the next turn has new tasks
    /// handed to it.
    /// </summary>
    internal override void Committing(Turn turn) => turn.Effects.AfterCommit(() => Deliver(turn));

    private void Deliver(Turn turn)
    {
        if (turn.Effects.IsReady)
        {
            readiness.Rise();
        }

        if (turn.IsReordered)
        {
            readiness.Reorder();
        }

        var left = turn.Find<LeftTasks>();
        foreach (var worker in waiting)
        {
            worker.EndLook(left);
        }

        waiting.Deliver(static worker => worker.HasTasks);
        if (left is { IsEmpty: false })
        {
            turn.Effects.WakeOthers();
        }
    }

    internal override ValueTask TidyAsync(Turn? reader)
    {
        waiting.EndExpired();
        return default;
    }

    internal override void Failed(Exception exception) => waiting.FailAll(exception);

    internal override void Close(Exception disposed) => waiting.FailAll(disposed);
}
