using System.Runtime.InteropServices;
using Npgsql;

namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// The new tasks of one turn: those that cannot exist yet, those that may, and the first of each unique key.
/// </summary>
internal sealed class NewRows(Enqueuing enqueuing) : TurnRows(TurnStage.Enqueue)
{
    /// <summary>Rows of one statement.</summary>
    private const int RowsInStatement = 10_000;

    /// <summary>Bytes of payloads and headers in one statement: a message to the server ends at a gigabyte.</summary>
    private const long BytesInStatement = 16 * 1024 * 1024;

    private readonly List<NewRow> _new = [];
    private List<NewRow>? _known;
    private List<NewRow>? _unique;
    private Dictionary<(string Name, string Key), long>? _uniqueIds; // Which id was the first with the key.
    // Of the known and the unique ones, those that did not exist: each is told so once.
    private HashSet<long>? _inserted;
    private Dictionary<long, long>? _holders; // Which task holds the key of each unique one: itself or another.
    private bool _mayBeDue; // The server's clock decides whether a task of a given time is ready.

    /// <summary>
    /// A task with a freshly allocated id, which cannot exist yet: handed to a worker that waits for it, if one does.
    /// </summary>
    internal void AddNew(Turn turn, NewTask task, long id)
    {
        var taker = enqueuing.Reserving.TakerOf(turn, task);
        _new.Add(new NewRow(task, id, taker?.Owner ?? Turn.Nobody));
        if (taker is not null)
        {
            taker.HandOff(task, id);
            return;
        }

        if (task.DueAt is null && !(task.Delay > TimeSpan.Zero))
        {
            turn.Rows(static () => new LeftTasks()).Add(task);
        }
        else
        {
            _mayBeDue |= task.DueAt is not null;
            turn.Effects.WakeOthers();
        }

        enqueuing.Reserving.ForgetFloorsAbove(task, id);
    }

    internal void AddKnown(NewTask task, long id)
    {
        (_known ??= []).Add(new NewRow(task, id));
    }

    internal void AddUnique(NewTask task, string key, long id)
    {
        if ((_uniqueIds ??= []).TryAdd((task.Name, key), id))
        {
            (_unique ??= []).Add(new NewRow(task, id));
        }
    }

    internal override void Write(Turn turn)
    {
        List<long> started = [];
        foreach (var rows in Statements(_new))
        {
            InsertNew(turn, rows, started, isLast: rows[^1].Id == _new[^1].Id);
        }

        if (_mayBeDue || turn.Find<LeftTasks>() is not null)
        {
            turn.Effects.ReadyHere();
        }

        if (_known is not null || _unique is not null)
        {
            LockGivenIds(turn);
        }

        if (_known is { } known)
        {
            foreach (var rows in Statements(known))
            {
                InsertKnown(turn, rows);
            }

            turn.Ready();
        }

        if (_unique is { } unique)
        {
            // All locks at first, in their order: statement by statement, two callers might wait for each other.
            enqueuing.Locks.LockKeys(turn, unique.Select(one => UniqueKeys.LockOf(one.Task)));
            foreach (var rows in Statements(unique))
            {
                enqueuing.Unique.Insert(turn, rows, _inserted ??= [], _holders ??= [], row => NoteInserted(turn, row));
            }

            turn.Ready();
        }
    }

    /// <summary>The rows of each statement: one call may bring more than the server takes in one.</summary>
    private static IEnumerable<List<NewRow>> Statements(List<NewRow> rows)
    {
        var bytes = 0L;
        var first = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            var size = rows[i].Task.Payload.Length + (rows[i].Task.Headers?.Length ?? 0);
            if (i > first && (i - first == RowsInStatement || bytes + size > BytesInStatement))
            {
                yield return rows.GetRange(first, i - first);
                (first, bytes) = (i, 0);
            }

            bytes += size;
        }

        if (rows.Count > 0)
        {
            yield return first == 0 ? rows : rows.GetRange(first, rows.Count - first);
        }
    }

    // Tasks with freshly allocated ids, which cannot exist yet. language=postgresql
    private const string InsertTasksSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        ),
        inserted as (
            insert into errand.errand_tasks (
                id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name,
                max_attempts, state, retry, headers, payload)
            select id, taker, sign(taker)::int, due, now, now, @turn, timeout, expires, sign(taker)::int, ~priority,
                   queue, name, max_attempts,
                   case when taker <> 0 then 12 when due <= now then 10 else 11 end, retry, headers, payload
            from   clock,
                   unnest(@ids, @owners, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names,
                       @max_attempts, @retries, @headers, @payloads)
                       as new (id, owner, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry,
                           headers, payload),
                   lateral (
                       select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end
                                  as due,
                              case
                                  when owner <> 0 and not exists (
                                      select from errand.errand_paused_queues p where p.queue = new.queue)
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

    private void InsertNew(Turn turn, List<NewRow> rows, List<long> started, bool isLast)
    {
        var owners = new long[rows.Count];
        for (var i = 0; i < owners.Length; i++)
        {
            owners[i] = rows[i].Owner;
        }

        turn.Insert(InsertTasksSql, rows, row =>
        {
            enqueuing.Clock.Hear(row.GetInt64(0));
            started.AddRange(row.IsDBNull(2) ? [] : row.GetFieldValue<long[]>(2));
            if (isLast)
            {
                enqueuing.Reserving.HandedOff(row.GetInt64(0), started);
            }

            if (!row.IsDBNull(1))
            {
                turn.Effects.Expect(enqueuing.Promotion, row.GetInt64(1));
            }
        });
        WithRows(
            turn, turn.Batch.With("now", enqueuing.Clock.TestNow).With("turn", turn.Number)
                .With("hands_off", Array.Exists(owners, static owner => owner != Turn.Nobody)),
            rows).With("owners", owners);
    }

    private void LockGivenIds(Turn turn)
    {
        List<long>? given = null;
        foreach (var row in (_known ?? []).Concat(_unique ?? []))
        {
            if (row.Task.Id is not null)
            {
                (given ??= []).Add(row.Id);
            }
        }

        if (given is not null)
        {
            enqueuing.Locks.LockIds(turn, given);
        }
    }

    // Tasks that may be there already: live, finished, or enqueued by a turn of this one whose answer was lost.
    // language=postgresql
    private const string InsertKnownTasksSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        )
        insert into errand.errand_tasks (
            id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name, max_attempts,
            state, retry, headers, payload)
        select id, 0, 0, due, now, now, 0, timeout, expires, 0, ~priority, queue, name, max_attempts,
               case when due <= now then 10 else 11 end, retry, headers, payload
        from   clock,
               unnest(@ids, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names, @max_attempts, @retries,
                   @headers, @payloads)
                   as new (id, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry, headers,
                       payload),
               lateral (
                   select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end
                              as due) as d
        where  not exists (select from errand.errand_finished f where f.id = new.id)
        order by id
        on conflict (id) do nothing
        returning id, state, due
        """;

    // A task that another process settled while it was looked for here was neither live nor finished to that statement.
    // This one sees it finished. language=postgresql
    internal const string DeleteFinishedTasksSql = $"""
        {Turn.DeleteTasks} t
        using  errand.errand_finished f
        where  t.id = any(@ids) and f.id = t.id
        returning t.id
        """;

    private void InsertKnown(Turn turn, List<NewRow> rows)
    {
        var inserted = _inserted ??= [];
        turn.Insert(InsertKnownTasksSql, rows, row =>
        {
            inserted.Add(row.GetInt64(0));
            NoteInserted(turn, row);
        });
        WithRows(turn, turn.Batch.With("now", enqueuing.Clock.TestNow), rows);
        turn.Add(DeleteFinishedTasksSql, row => inserted.Remove(row.GetInt64(0)))
            .With("ids", rows.ConvertAll(row => row.Id).ToArray());
    }

    private void NoteInserted(Turn turn, NpgsqlDataReader row)
    {
        if (row.GetInt16(1) == (int)TaskState.Scheduled)
        {
            turn.Effects.Expect(enqueuing.Promotion, row.GetInt64(2));
        }
    }

    /// <summary>
    /// Whether the statements have inserted it. True once: of two tasks with one id, the second is not new.
    /// </summary>
    internal bool TakeInserted(long id) => _inserted?.Remove(id) == true;

    /// <summary>The task that holds the key; with the id 0 when it has ended while it was looked for.</summary>
    internal EnqueuedTask HolderOf(NewTask task, string key, long id)
    {
        var first = _uniqueIds?.GetValueOrDefault((task.Name, key)) ?? 0;
        var holder = _holders?.GetValueOrDefault(first) ?? 0;

        // A fresh id that holds the key may have been inserted by a turn whose answer was lost.
        var isNew = id == first && (TakeInserted(id) || (holder == id && task.Id is null));
        return new EnqueuedTask { Id = new TaskId(isNew ? id : holder), IsNew = isNew };
    }

    /// <summary>Gives the newest statement the rows, a column at a time.</summary>
    internal static TurnBatch WithRows(Turn turn, TurnBatch batch, List<NewRow> rows) => batch
        .With("ids", Column(rows, static row => row.Id))
        .With("delays", Column(rows, static row => Milliseconds(row.Task.Delay)))
        .With("dues", Column(rows, static row => row.Task.DueAt?.ToUnixTimeMilliseconds()))
        .With("expiries", Column(rows, static row => row.Task.ExpiresAt?.ToUnixTimeMilliseconds()))
        .With("timeouts", Column(rows, static row => (long?)row.Task.Timeout?.TotalMilliseconds))
        .With("priorities", Column(rows, static row => row.Task.Priority))
        .With("queues", Column(rows, row => turn.IdOf(row.Task.Queue)))
        .With("names", Column(rows, row => turn.IdOf(row.Task.Name)))
        .With("max_attempts", Column(rows, static row => row.Task.Retry.MaxAttempts))
        .With("retries", Column(rows, static row => RetryText.Of(row.Task.Retry)))
        .With("headers", Column(rows, static row => row.Task.Headers))
        .With("payloads", Column(rows, static row => Bytes(row.Task.Payload)));

    /// <summary>The payload's own array where it is one: a bulk of large ones is not copied.</summary>
    private static byte[] Bytes(ReadOnlyMemory<byte> payload) =>
        MemoryMarshal.TryGetArray(payload, out var array) && array.Array is { } whole && array.Count == whole.Length
            ? whole
            : payload.ToArray();

    internal static long? Milliseconds(TimeSpan? time) => time is { } given ? NewTasks.Milliseconds(given) : null;

    internal static T[] Column<T>(List<NewRow> rows, Func<NewRow, T> value)
    {
        var column = new T[rows.Count];
        for (var i = 0; i < column.Length; i++)
        {
            column[i] = value(rows[i]);
        }

        return column;
    }
}
