using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>
/// Unique keys: one index holds while a task lives, and one table for a time after its enqueue. Both are written in the order of the
/// keys, so that callers who enqueue the same keys wait for one another and not in a circle; and looked at again afterwards, by
/// statements that see what was committed meanwhile.
/// </summary>
public sealed partial class PostgresBackend
{
    private readonly List<NewRow> _uniqueRows = []; // Of this turn: the first of each key.
    private readonly Dictionary<(string Name, string Key), long> _uniqueIds = []; // The ids of those.
    private readonly Dictionary<long, long> _holders = []; // Which task holds the key of each of those; itself or another.

    private void AddUnique(NewTask task, long id)
    {
        if (_uniqueIds.TryAdd((task.Name, task.UniqueKey!), id))
        {
            _uniqueRows.Add(new NewRow(task, id));
            NoteExpiring(task);
            ForgetFloorsAbove(task);
        }
    }

    /// <summary>After the commit: the task that holds the key; with the id 0 when it has ended while it was looked for.</summary>
    private EnqueuedTask AnswerOf(NewTask task, long id)
    {
        var first = _uniqueIds[(task.Name, task.UniqueKey!)];
        var holder = _holders.GetValueOrDefault(first);
        var isNew = id == first && (_inserted.Remove(id) || (holder == id && task.Id is null)); // Or by a turn whose answer was lost.
        return new EnqueuedTask { Id = new TaskId(isNew ? id : holder), IsNew = isNew };
    }

    /// <summary>Names the locks of unique keys in this schema.</summary>
    private string KeyScope => _store.Channel + ":key:";

    /// <summary>
    /// Whoever enqueues a key holds one of these locks until his commit is seen by all. They are few, so that no number of keys in one
    /// transaction can exhaust the server's; two keys that share one wait for each other, and no more.
    /// </summary>
    private static long LockOf(NewTask task)
    {
        // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): the same in every process.
        var hash = 14695981039346656037UL;
        foreach (var one in System.Text.Encoding.UTF8.GetBytes($"{task.Name}\0{task.UniqueKey}"))
        {
            hash = unchecked((hash ^ one) * 1099511628211UL);
        }

        return (long)(hash % 2_048);
    }

    // A task that is there already, of an id had before, has had its time. language=postgresql
    private const string HoldPeriodsSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        insert into errand.unique_periods as held (name, key, id, until)
        select   name, key, id, now + period
        from     clock, unnest(@names, @keys, @ids, @periods) as new (name, key, id, period)
        where    period is not null
        and      not exists (select from errand.tasks t where t.id = new.id)
        and      not exists (select from errand.finished f where f.id = new.id)
        order by name, key
        on conflict (name, key) do update
        set    id = excluded.id, until = excluded.until
        where  held.until <= errand.now_ms(@now)
        returning id
        """;

    // language=postgresql
    private const string InsertUniqueTasksSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        insert into errand.tasks (
            id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name, max_attempts, state, unique_key,
            retry, trace, payload)
        select id, 0, 0, due, now, now, 0, timeout, expires, 0, ~priority, queue, name, max_attempts,
               case when due <= now then 10 else 11 end, key, retry, trace, payload
        from   clock,
               unnest(@ids, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names, @max_attempts, @retries, @traces,
                   @payloads, @keys)
                   as new (id, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry, trace, payload, key),
               lateral (select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end as due) as d
        where  not exists (select from errand.finished f where f.id = new.id)
        and    not exists (
            select
            from   errand.unique_periods p
            where  p.name = new.name and p.key = new.key and p.until > now and p.id <> new.id)
        order by name, key
        on conflict do nothing
        returning id, state, due
        """;

    // What another took for a time while this was inserted. language=postgresql
    private const string DeleteTakenTasksSql = """
        delete from errand.tasks t
        using  errand.unique_periods p
        where  t.id = any(@ids) and p.name = t.name and p.key = t.unique_key and p.until > t.enqueued and p.id <> t.id
        returning t.id
        """;

    // What was taken for a time by a task that was not made after all. language=postgresql
    private const string ReleasePeriodsSql = """
        delete from errand.unique_periods p
        where  p.id = any(@ids)
        and    not exists (select from errand.tasks t where t.id = p.id)
        and    not exists (select from errand.finished f where f.id = p.id)
        returning p.id
        """;

    // language=postgresql
    private const string SelectHoldersSql = """
        select new.id, coalesce(f.id, t.id, p.id)
        from   unnest(@ids, @names, @keys) as new (id, name, key)
        left join errand.finished f on f.id = new.id
        left join errand.tasks t on t.name = new.name and t.unique_key = new.key
        left join errand.unique_periods p on p.name = new.name and p.key = new.key and p.until > errand.now_ms(@now)
        where  coalesce(f.id, t.id, p.id) is not null
        """;

    private void AddUnique(
        TurnBatch batch, List<NewRow> rows, HashSet<long> inserted, Dictionary<long, long> holders, Action<Npgsql.NpgsqlDataReader> read)
    {
        var ids = rows.ConvertAll(row => row.Id).ToArray();
        var names = rows.ConvertAll(row => _names.IdOf(row.Task.Name)).ToArray();
        var keys = rows.ConvertAll(row => row.Task.UniqueKey!).ToArray();
        LockIds(batch, KeyScope, [.. rows.Select(row => LockOf(row.Task)).Distinct()]);
        if (rows.Exists(row => row.Task.UniqueFor is not null))
        {
            batch.Add(HoldPeriodsSql, _ => { }).With("now", TestNow).With("names", names).With("keys", keys).With("ids", ids)
                .With("periods", rows.ConvertAll(row => Milliseconds(row.Task.UniqueFor)).ToArray());
        }

        WithRows(
            batch.Add(InsertUniqueTasksSql, row =>
            {
                inserted.Add(row.GetInt64(0));
                read(row);
            }).With("now", TestNow),
            rows).With("keys", keys);
        batch
            .Add(DeleteFinishedTasksSql, row => inserted.Remove(row.GetInt64(0))).With("ids", ids)
            .Add(DeleteTakenTasksSql, row => inserted.Remove(row.GetInt64(0))).With("ids", ids)
            .Add(ReleasePeriodsSql, _ => { }).With("ids", ids)
            .Add(SelectHoldersSql, row => holders[row.GetInt64(0)] = row.GetInt64(1))
            .With("ids", ids).With("names", names).With("keys", keys).With("now", TestNow);
    }

    // language=postgresql
    private const string PrunePeriodsSql = """
        delete from errand.unique_periods
        where  (name, key) in (
            select name, key
            from   errand.unique_periods
            where  until <= errand.now_ms(@now)
            order by until
            limit  @count
            for update skip locked)
        returning id
        """;
}
