namespace Errand.Sqlite.Upkeep;

/// <summary>What must be true of the tables that every part shares: tasks, finished tasks, names and ids.</summary>
internal static class TaskInvariants
{
    internal static IReadOnlyList<string> Tables { get; } =
        ["errand_meta", "errand_names", "errand_counters", "errand_tasks", "errand_finished"];

    // Each gives a sentence for a row that breaks it. Whether one time lies before another is not asked: clocks are set
    // back. language=sqlite
    internal static IReadOnlyList<string> All { get; } =
    [
        """
        select 'Task ' || id || ' is both live and finished.' from errand_tasks where id in (select id from errand_finished) limit 20
        """,
        """
        select 'There are ' || count(*) || ' counters of ids instead of one.' from errand_counters having count(*) <> 1
        """,
        """
        select 'The next id is ' || next_id || ', which is none.' from errand_counters where next_id not between 1 and (1 << 53)
        """,
        """
        select 'Task ' || id || ' has an id that was never given out; the next is ' || next_id || '.'
        from   (select id from errand_tasks union all select id from errand_finished) join errand_counters on id >= next_id or id < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' lives in the state ' || state || ', which is none of those.'
        from   errand_tasks
        where  state not in (10, 11, 12)
        limit  20
        """,
        """
        select 'Task ' || id || ' has ended in the state ' || state || ', which is none of those.'
        from   errand_finished
        where  state not in (20, 21, 22, 23)
        limit  20
        """,
        """
        select 'Task ' || id || ' waits, and yet belongs to ' || owner || '.'
        from   errand_tasks
        where  state <> 12 and owner <> 1 << 40
        limit  20
        """,
        """
        select 'Task ' || id || ' runs, and yet has had no attempt.' from errand_tasks where state = 12 and attempt < 1 limit 20
        """,
        """
        select 'Task ' || id || ' has had ' || attempt || ' attempts of ' || max_attempts || '.'
        from   (select id, attempt, max_attempts from errand_tasks union all select id, attempt, max_attempts from errand_finished)
        where  attempt < 0 or attempt > max_attempts or max_attempts < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' has had ' || attempt || ' attempts, but only ' || epoch || ' starts.'
        from   (select id, attempt, epoch from errand_tasks union all select id, attempt, epoch from errand_finished)
        where  attempt > epoch
        limit  20
        """,
        """
        select 'Task ' || id || ' failed, but has no payload to be retried with.'
        from   errand_finished
        where  state = 21 and (payload is null or max_attempts is null)
        limit  20
        """,
        """
        select 'Task ' || id || ' has a result, but did not succeed.' from errand_finished where result is not null and state <> 20 limit 20
        """,
        """
        select 'Task ' || id || ' has a timeout of ' || timeout || ' ms.'
        from   (select id, timeout from errand_tasks union all select id, timeout from errand_finished)
        where  timeout < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' has the name or queue ' || missing || ', which is not there.'
        from   (
            select id, queue as missing from errand_tasks
            union all
            select id, name from errand_tasks
            union all
            select id, queue from errand_finished
            union all
            select id, name from errand_finished)
        where  missing not in (select id from errand_names)
        limit  20
        """,
        """
        select 'Task ' || id || ' has the time ' || time || ', which is not between the years 1970 and 9999.'
        from   (
            select id, due as time from errand_tasks
            union all
            select id, started from errand_tasks
            union all
            select id, enqueued from errand_tasks
            union all
            select id, expires from errand_tasks
            union all
            select id, due from errand_finished
            union all
            select id, started from errand_finished
            union all
            select id, enqueued from errand_finished
            union all
            select id, finished from errand_finished)
        where  time not between 0 and 253402300799999
        limit  20
        """,
    ];
}
