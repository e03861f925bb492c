namespace Errand.PostgreSql.Inspect;

/// <summary>What an operator sees first: counts, live workers, and tasks that wait in vain.</summary>
internal sealed class Overview(StoreClock clock)
{
    internal async Task<QueueOverview> TakeAsync(Snapshot snapshot)
    {
        List<QueueCount> counts = [];
        List<UnclaimedTasks> unclaimed = [];
        List<string> paused = [];
        var live = 0;
        TimeSpan? oldest = null;
        await snapshot.RunAsync(batch => batch
            .Add(CountsSql, row =>
                counts.Add(new QueueCount
                {
                    Queue = row.GetString(0), State = (TaskState)row.GetInt32(1), Tasks = row.GetInt64(2),
                }))
            .With("finished", QueueOverview.FinishedLimit)
            .Add(Pauses.SelectPausedSql, row => paused.Add(row.GetString(0)))
            .Add(CountLiveSql, row => live = row.GetInt32(0)).With("now", clock.TestNow)
            .Add(OldestWaitingSql, row => oldest = row.IsDBNull(0) ? null : TimeSpan.FromMilliseconds(row.GetInt64(0)))
            .With("now", clock.TestNow)
            .Add(CountUnclaimedSql, row => unclaimed.Add(new UnclaimedTasks { Name = row.GetString(0), Tasks = row.GetInt64(1) }))
            .With("now", clock.TestNow).With("limit", QueueOverview.UnclaimedLimit)
            .With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds)).ConfigureAwait(false);
        return new QueueOverview
        {
            Counts = [.. counts.OrderBy(count => count.Queue, StringComparer.Ordinal).ThenBy(count => count.State)],
            PausedQueues = [.. paused.Order(StringComparer.Ordinal)],
            LiveWorkers = live,
            OldestWaiting = oldest,
            Unclaimed =
            [
                .. unclaimed.OrderByDescending(count => count.Tasks)
                    .ThenBy(count => count.Name, StringComparer.Ordinal),
            ],
        };
    }

    // language=postgresql
    private const string CountsSql = """
        with counts as (
            select   queue, 10 as state, count(*) as tasks from errand.errand_tasks where state = 10 group by queue
            union all
            select   queue, 11, count(*) from errand.errand_tasks where state = 11 group by queue
            union all
            select   queue, 12, count(*) from errand.errand_tasks where state = 12 group by queue
            union all
            select   queue, state, count(*)
            from     (select queue, state from errand.errand_finished order by id desc limit @finished) as newest
            group by queue, state
        )
        select n.text, c.state, c.tasks
        from   counts c join errand.errand_names n on n.id = c.queue
        """;

    // language=postgresql
    private const string CountLiveSql = """
        select count(*)::int
        from   errand.errand_workers w, (select errand.errand_now_ms(@now) as now offset 0) c
        where  greatest(w.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + w.lease > c.now
        """;

    // A task that is due but not promoted yet counts as well, when no worker asks. language=postgresql
    private const string OldestWaitingSql = """
        select case when o.due <= c.now then c.now - o.due end
        from   (select errand.errand_now_ms(@now) as now offset 0) c,
               (select least(
                   (select min(due) from errand.errand_tasks where state = 10),
                   (select due from errand.errand_tasks where state = 11 order by due limit 1)) as due) o
        """;

    // Parked tasks are due within the time of parking; beyond it nothing waits in vain. language=postgresql
    private const string CountUnclaimedSql = """
        with recursive queues (queue) as (
            select min(queue) from errand.errand_tasks where state = 10
            union all
            select (select min(t.queue) from errand.errand_tasks t where t.state = 10 and t.queue > queues.queue)
            from   queues
            where  queue is not null
        ),
        clock as materialized (
            select errand.errand_now_ms(@now) as now
        ),
        waiting as (
            select h.name
            from   queues q,
                   lateral (
                       select name
                       from   errand.errand_tasks
                       where  queue = q.queue and state = 10
                       order by rank, due, id
                       limit  @limit) as h
            where  q.queue is not null
            union all
            select s.name
            from   clock,
                   lateral (
                       select name
                       from   errand.errand_tasks
                       where  state = 11 and due <= now + @parking and (due <= now or parked = 1)
                       order by due
                       limit  @limit) as s
        )
        select   n.text, count(*)
        from     waiting w join errand.errand_names n on n.id = w.name
        where    not exists (
            select
            from   errand.errand_worker_names k
            join   errand.errand_workers a on a.id = k.worker, clock
            where  k.name = w.name
            and    greatest(a.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + a.lease
                   > clock.now)
        group by n.text
        """;
}
