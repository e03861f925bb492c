using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Enqueue: a new task is inserted as pending or scheduled, or handed to a worker that waits for it.</summary>
public sealed partial class PostgresBackend
{
    private readonly List<NewRow> _newRows = []; // Of this turn: tasks that cannot exist yet.
    private readonly List<NewRow> _knownRows = []; // Of this turn: tasks that may exist already.
    private readonly HashSet<long> _inserted = []; // Of those and the unique ones, the ones that did not exist: each is told so once.

    /// <inheritdoc/>
    public async ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) =>
        new(await SubmitAsync(new NewIdOperation(), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentOutOfRangeException.ThrowIfZero(tasks.Count, nameof(tasks));
        return await SubmitAsync(new EnqueueOperation(this, tasks), cancellationToken).ConfigureAwait(false);
    }

    // Tasks whose ids were taken for them and never used. language=postgresql
    private const string InsertTasksSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        ),
        inserted as (
            insert into errand.tasks (
                id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name, max_attempts, state, retry,
                trace, payload)
            select id, taker, sign(taker)::int, due, now, now, @turn, timeout, expires, sign(taker)::int, ~priority, queue, name,
                   max_attempts, case when taker <> 0 then 12 when due <= now then 10 else 11 end, retry, trace, payload
            from   clock,
                   unnest(@ids, @owners, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names, @max_attempts, @retries,
                       @traces, @payloads)
                       as new (id, owner, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry, trace, payload),
                   lateral (
                       select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end as due,
                              case
                                  when owner <> 0 and not exists (
                                      select from errand.paused_queues p where p.queue = new.queue)
                                  then owner
                                  else 0
                              end as taker
                       offset 0) as d
            returning id, due, state
        )
        select now, (select min(due) from inserted where state = 11),
               case when @hands_off then array(select id from inserted where state = 12) end
        from   clock
        """;

    // Tasks that may be there already: live, finished, or by a turn of this one whose answer was lost. language=postgresql
    private const string InsertKnownTasksSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        insert into errand.tasks (
            id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name, max_attempts, state, retry,
            trace, payload)
        select id, 0, 0, due, now, now, 0, timeout, expires, 0, ~priority, queue, name, max_attempts,
               case when due <= now then 10 else 11 end, retry, trace, payload
        from   clock,
               unnest(@ids, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names, @max_attempts, @retries, @traces,
                   @payloads)
                   as new (id, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry, trace, payload),
               lateral (select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end as due) as d
        where  not exists (select from errand.finished f where f.id = new.id)
        order by id
        on conflict (id) do nothing
        returning id, state, due
        """;

    private void Insert(TurnBatch batch)
    {
        if (_newRows.Count > 0)
        {
            batch.Add(InsertTasksSql, row =>
            {
                NoteServerTime(row.GetInt64(0));
                NoteHandedOff(row.GetInt64(0), row.IsDBNull(2) ? [] : row.GetFieldValue<long[]>(2));
                if (!row.IsDBNull(1))
                {
                    NoteScheduled(row.GetInt64(1));
                }
            });
            WithRows(
                batch.With("now", TestNow).With("turn", _turn).With("hands_off", _newRows.Exists(row => row.Owner != Nobody)), _newRows)
                .With("owners", _newRows.ConvertAll(row => row.Owner).ToArray());
        }

        if (_pendingInTurn || _left.Count > 0)
        {
            _readyVersion++;
        }

        LockIds(batch, IdScope, [.. _knownRows.Concat(_uniqueRows).Where(row => row.Task.Id is not null).Select(row => row.Id)]);

        if (_knownRows.Count > 0)
        {
            AddKnown(batch, _knownRows, _inserted, NoteInserted);
            _floorVersion++;
            NoteReady();
        }

        if (_uniqueRows.Count > 0)
        {
            AddUnique(batch, _uniqueRows, _inserted, _holders, NoteInserted);
            _floorVersion++;
            NoteReady();
        }
    }

    private void NoteInserted(Npgsql.NpgsqlDataReader row)
    {
        if (row.GetInt16(1) == (int)TaskState.Scheduled)
        {
            NoteScheduled(row.GetInt64(2));
        }
    }

    // A task that another process settled while it was looked for here was neither live nor finished to that statement. This one
    // sees it finished. language=postgresql
    private const string DeleteFinishedTasksSql = """
        delete from errand.tasks t
        using  errand.finished f
        where  t.id = any(@ids) and f.id = t.id
        returning t.id
        """;

    /// <summary>Names the locks of ids in this schema; the database's other advisory locks have other names.</summary>
    private string IdScope => _store.Channel + ":id:";

    // Whoever enqueues an id had before holds it until his commit is seen by all: then who comes next finds the task, live or
    // finished, and nobody needs to wait for a row. language=postgresql
    private const string LockIdsSql = """
        select pg_advisory_xact_lock(hashtextextended(@scope || id, 0))
        from   (select distinct id from unnest(@ids) as id order by id) as ids
        """;

    private static void LockIds(TurnBatch batch, string scope, long[] ids)
    {
        if (ids.Length > 0)
        {
            batch.Add(LockIdsSql, _ => { }).With("scope", scope).With("ids", ids);
        }
    }

    private void AddKnown(TurnBatch batch, List<NewRow> rows, HashSet<long> inserted, Action<Npgsql.NpgsqlDataReader> read)
    {
        WithRows(
            batch.Add(InsertKnownTasksSql, row =>
            {
                inserted.Add(row.GetInt64(0));
                read(row);
            }).With("now", TestNow),
            rows);
        batch.Add(DeleteFinishedTasksSql, row => inserted.Remove(row.GetInt64(0)))
            .With("ids", rows.ConvertAll(row => row.Id).ToArray());
    }

    private TurnBatch WithRows(TurnBatch batch, List<NewRow> rows) => batch
        .With("ids", rows.ConvertAll(row => row.Id).ToArray())
        .With("delays", rows.ConvertAll(row => (long?)Milliseconds(row.Task.Delay)).ToArray())
        .With("dues", rows.ConvertAll(row => row.Task.DueAt?.ToUnixTimeMilliseconds()).ToArray())
        .With("expiries", rows.ConvertAll(row => row.Task.ExpiresAt?.ToUnixTimeMilliseconds()).ToArray())
        .With("timeouts", rows.ConvertAll(row => (long?)row.Task.Timeout?.TotalMilliseconds).ToArray())
        .With("priorities", rows.ConvertAll(row => row.Task.Priority).ToArray())
        .With("queues", rows.ConvertAll(row => _names.IdOf(row.Task.Queue)).ToArray())
        .With("names", rows.ConvertAll(row => _names.IdOf(row.Task.Name)).ToArray())
        .With("max_attempts", rows.ConvertAll(row => row.Task.Retry.MaxAttempts).ToArray())
        .With("retries", rows.ConvertAll(row => RetryText.Of(row.Task.Retry)).ToArray())
        .With("traces", rows.ConvertAll(row => row.Task.Trace).ToArray())
        .With("payloads", rows.ConvertAll(row => row.Task.Payload.ToArray()).ToArray());

    private static long? Milliseconds(TimeSpan? time) => time is { } given ? (long)Math.Ceiling(given.TotalMilliseconds) : null;

    /// <summary>
    /// The worker that a new task can be handed to as it is inserted: one that waits on the queue, knows the name and has room, and
    /// only while it has seen everything that is known to be ready.
    /// </summary>
    private ReserveOperation? TakerOf(NewTask task)
    {
        if (task.DueAt is not null || task.Delay > TimeSpan.Zero || task.ExpiresAt is not null)
        {
            return null; // The server's clock decides.
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.Takes(task) && waiting.Room() > 0)
            {
                return waiting.SeenVersion == _readyVersion ? waiting : null;
            }
        }

        return null;
    }

    private void AddNew(NewTask task, long id)
    {
        var taker = TakerOf(task);
        _newRows.Add(new NewRow(task, id, taker?.Owner ?? Nobody));
        if (taker is not null)
        {
            taker.HandedOff.Add((task, id));
            return;
        }

        if (task.DueAt is null && !(task.Delay > TimeSpan.Zero))
        {
            _left.Add((task.Queue, task.Name));
        }
        else
        {
            _pendingInTurn |= task.DueAt is not null; // The server's clock decides.
            _wakeOwed = true;
        }

        NoteExpiring(task);
        ForgetFloorsAbove(task);
    }

    /// <summary>
    /// Tasks that were handed off are due, and enqueued, at the server's time of the insert; but not those whose queue was found paused.
    /// </summary>
    private void NoteHandedOff(long now, long[] started)
    {
        HashSet<long> handedOff = [.. started];
        foreach (var waiting in _waiting)
        {
            foreach (var (task, id) in waiting.HandedOff)
            {
                if (handedOff.Contains(id))
                {
                    waiting.Reserved.Add((~task.Priority, HandOff(task, id, waiting.Owner, now)));
                }
            }

            waiting.HandedOff.Clear();
        }
    }

    private static ReservedTask HandOff(NewTask task, long id, long owner, long now) => new()
    {
        Lease = new TaskLease { Id = new TaskId(id), Owner = new WorkerId(owner), Epoch = 1 },
        Name = task.Name,
        Queue = task.Queue,
        Attempt = 1,
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(now),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(now),
        Timeout = task.Timeout,
        Retry = task.Retry,
        Trace = task.Trace,
        Payload = task.Payload,
    };

    private static ArgumentException NeverGiven(long id) =>
        new($"The id {id} was never given out. Ids come from NewIdAsync; a key of your own belongs in the payload.");

    private readonly record struct NewRow(NewTask Task, long Id, long Owner = Nobody);

    private sealed class EnqueueOperation(PostgresBackend backend, IReadOnlyList<NewTask> tasks)
        : Operation<IReadOnlyList<EnqueuedTask>>
    {
        private readonly long[] _givenIds = [.. tasks.Select(task => task.Id?.Value ?? 0)];
        private ArgumentException? _misuse;

        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int Rows => tasks.Count;

        internal override int NewIds { get; } = tasks.Count(task => task.Id is null);

        internal override long LargestGivenId => _givenIds.Max();

        /// <summary>The ids that its caller had before.</summary>
        internal IEnumerable<long> LockedIds => _givenIds.Where(id => id != 0);

        /// <summary>The locks of its unique keys.</summary>
        internal IEnumerable<long> LockedKeys => tasks.Where(task => task.UniqueKey is not null).Select(LockOf).Distinct();

        internal override bool Asks(IReadOnlySet<long> held) =>
            LockedIds.Any(held.Contains) || LockedKeys.Any(key => held.Contains(~key));

        internal override IEnumerable<string> Names
        {
            get
            {
                foreach (var task in tasks)
                {
                    yield return task.Queue;
                    yield return task.Name;
                }
            }
        }

        internal override void Run(TurnBatch batch)
        {
            if (_givenIds.Any(id => id >= backend._givenBelow && id != 0))
            {
                _misuse = NeverGiven(_givenIds.First(id => id >= backend._givenBelow));
                return;
            }

            var next = 0;
            foreach (var task in tasks)
            {
                if (task.UniqueKey is not null)
                {
                    backend.AddUnique(task, task.Id?.Value ?? Ids![next++]);
                }
                else if (task.Id?.Value is { } given)
                {
                    backend._knownRows.Add(new NewRow(task, given));
                }
                else if (MayBeDone)
                {
                    backend._knownRows.Add(new NewRow(task, Ids![next++]));
                }
                else
                {
                    backend.AddNew(task, Ids![next++]);
                }
            }
        }

        internal override void Complete()
        {
            if (_misuse is not null)
            {
                Fail(_misuse);
                return;
            }

            var next = 0;
            Result = [.. tasks.Select(task => (task, Id: task.Id?.Value ?? Ids![next++])).Select(one => one.task switch
            {
                { UniqueKey: not null } => backend.AnswerOf(one.task, one.Id),
                { Id: not null } => new EnqueuedTask { Id = new TaskId(one.Id), IsNew = backend._inserted.Remove(one.Id) },
                _ => new EnqueuedTask { Id = new TaskId(one.Id), IsNew = true },
            })];
            if (Result.Any(one => one.Id.Value == 0))
            {
                MayBeDone = true; // A task that held a key ended while it was looked for: the key is free, and is asked for again.
                if (!backend._inbox.Writer.TryWrite(this))
                {
                    Fail(new ObjectDisposedException(nameof(PostgresBackend)));
                }

                return;
            }

            base.Complete();
        }
    }

    private sealed class NewIdOperation : Operation<long>
    {
        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int NewIds => 1;

        internal override void Run(TurnBatch batch) => Result = Ids![0];
    }
}
