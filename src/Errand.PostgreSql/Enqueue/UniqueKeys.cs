using System.Text;
using Npgsql;

namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Unique keys: an index holds one while its task lives, and a table for a time after its enqueue. Both are written in
/// the order of the keys, so that callers who enqueue the same keys wait for one another and not in a circle; and
/// looked at again afterwards, by statements that see what was committed meanwhile.
/// </summary>
internal sealed class UniqueKeys(StoreClock clock) : Part<Turn>
{
    internal override Moments Hears => Moments.None;

    internal override IReadOnlyList<string> Tables => ["errand_unique_periods"];

    /// <summary>The lock of a task's key.</summary>
    internal static long LockOf(NewTask task)
    {
        // FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): the same in every process.
        var hash = 14695981039346656037UL;
        foreach (var one in Encoding.UTF8.GetBytes($"{task.Name}\0{task.UniqueKey}"))
        {
            hash = unchecked((hash ^ one) * 1099511628211UL);
        }

        return (long)(hash % IdLocks.Locks);
    }

    // A task enqueued earlier with this id does not renew the period. language=postgresql
    private const string HoldPeriodsSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        )
        insert into errand.errand_unique_periods as held (name, key, id, until)
        select   name, key, id, now + period
        from     clock, unnest(@names, @keys, @ids, @periods) as new (name, key, id, period)
        where    period is not null
        and      not exists (select from errand.errand_tasks t where t.id = new.id)
        and      not exists (select from errand.errand_finished f where f.id = new.id)
        order by name, key
        on conflict (name, key) do update
        set    id = excluded.id, until = excluded.until
        where  held.until <= errand.errand_now_ms(@now)
        returning id
        """;

    // language=postgresql
    private const string InsertUniqueTasksSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        )
        insert into errand.errand_tasks (
            id, owner, epoch, due, enqueued, started, turn, timeout, expires, attempt, rank, queue, name, max_attempts,
            state, unique_key, retry, headers, payload)
        select id, 0, 0, due, now, now, 0, timeout, expires, 0, ~priority, queue, name, max_attempts,
               case when due <= now then 10 else 11 end, key, retry, headers, payload
        from   clock,
               unnest(@ids, @delays, @dues, @timeouts, @expiries, @priorities, @queues, @names, @max_attempts, @retries,
                   @headers, @payloads, @keys)
                   as new (id, delay, due_at, timeout, expires, priority, queue, name, max_attempts, retry, headers,
                       payload, key),
               lateral (
                   select case when due_at is null then now + coalesce(delay, 0) else greatest(now, due_at) end
                              as due) as d
        where  not exists (select from errand.errand_finished f where f.id = new.id)
        and    not exists (
            select
            from   errand.errand_unique_periods p
            where  p.name = new.name and p.key = new.key and p.until > now and p.id <> new.id)
        order by name, key
        on conflict do nothing
        returning id, state, due
        """;

    // A key that another task took for a period while this one was inserted. language=postgresql
    private const string DeleteTakenTasksSql = $"""
        {Turn.DeleteTasks} t
        using  errand.errand_unique_periods p
        where  t.id = any(@ids) and p.name = t.name and p.key = t.unique_key and p.until > t.enqueued and p.id <> t.id
        returning t.id
        """;

    // Periods of tasks that were not made after all. language=postgresql
    private const string ReleasePeriodsSql = """
        delete from errand.errand_unique_periods p
        where  p.id = any(@ids)
        and    not exists (select from errand.errand_tasks t where t.id = p.id)
        and    not exists (select from errand.errand_finished f where f.id = p.id)
        returning p.id
        """;

    // language=postgresql
    private const string SelectHoldersSql = """
        select new.id, coalesce(f.id, t.id, p.id)
        from   unnest(@ids, @names, @keys) as new (id, name, key)
        left join errand.errand_finished f on f.id = new.id
        left join errand.errand_tasks t on t.name = new.name and t.unique_key = new.key
        left join errand.errand_unique_periods p
                  on p.name = new.name and p.key = new.key and p.until > errand.errand_now_ms(@now)
        where  coalesce(f.id, t.id, p.id) is not null
        """;

    /// <summary>Inserts the tasks whose keys are free.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="rows">One for each key.</param>
    /// <param name="inserted">Is given the ids of those that are inserted.</param>
    /// <param name="holders">Is given the id of the task that holds the key of each.</param>
    /// <param name="row">Reads the id, the state and the due time of each that is inserted.</param>
    internal void Insert(
        Turn turn, List<NewRow> rows, HashSet<long> inserted, Dictionary<long, long> holders,
        Action<NpgsqlDataReader> row)
    {
        var ids = rows.ConvertAll(one => one.Id).ToArray();
        var names = rows.ConvertAll(one => turn.IdOf(one.Task.Name)).ToArray();
        var keys = rows.ConvertAll(one => one.Task.UniqueKey!).ToArray();
        if (rows.Exists(one => one.Task.UniqueFor is not null))
        {
            turn.Add(HoldPeriodsSql).With("now", clock.TestNow).With("names", names).With("keys", keys).With("ids", ids)
                .With("periods", rows.ConvertAll(one => NewRows.Milliseconds(one.Task.UniqueFor)).ToArray());
        }

        turn.Insert(InsertUniqueTasksSql, rows, one =>
        {
            inserted.Add(one.GetInt64(0));
            row(one);
        });
        NewRows.WithRows(turn, turn.Batch.With("now", clock.TestNow), rows).With("keys", keys);
        turn.Add(NewRows.DeleteFinishedTasksSql, one => inserted.Remove(one.GetInt64(0))).With("ids", ids);
        turn.Add(DeleteTakenTasksSql, one => inserted.Remove(one.GetInt64(0))).With("ids", ids);
        turn.Add(ReleasePeriodsSql).With("ids", ids);
        turn.Add(SelectHoldersSql, one => holders[one.GetInt64(0)] = one.GetInt64(1))
            .With("ids", ids).With("names", names).With("keys", keys).With("now", clock.TestNow);
    }

    // language=postgresql
    internal const string PrunePeriodsSql = """
        delete from errand.errand_unique_periods
        where  (name, key) in (
            select name, key
            from   errand.errand_unique_periods
            where  until <= (select errand.errand_now_ms(@now))
            order by until
            limit  @count
            for update skip locked)
        returning id
        """;

    /// <summary>Removes periods that are over.</summary>
    internal void Prune(Turn turn, int count, Action pruned) =>
        turn.Add(PrunePeriodsSql, _ => pruned()).With("now", clock.TestNow).With("count", count);
}
