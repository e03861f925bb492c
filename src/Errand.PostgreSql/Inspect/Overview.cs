namespace Errand.PostgreSql.Inspect;

/// <summary>What an operator sees first: counts, live workers, and tasks that wait in vain.</summary>
internal sealed class Overview(StoreClock clock)
{
    /// <summary>Pending tasks counted at most, over all queues.</summary>
    private const int MostCounted = 100_000;

    /// <summary>Pending tasks of each queue that are counted in any case.</summary>
    private const int FewestCounted = 100;

    /// <summary>Priorities of queues among which the oldest task is looked for at most.</summary>
    private const int MostHops = 10_000;

    internal async Task<QueueOverview> TakeAsync(Snapshot snapshot)
    {
        List<QueueCount> counts = [];
        List<UnclaimedTasks> unclaimed = [];
        List<string> paused = [];
        var live = 0;
        TimeSpan? oldest = null;
        await snapshot.RunAsync(batch => AddOldest(batch
            .Add(CountsSql, row =>
                counts.Add(new QueueCount
                {
                    Queue = row.GetString(0),
                    State = (TaskState)row.GetInt32(1),
                    Tasks = row.GetInt64(2),
                    IsAtLeast = row.GetBoolean(3),
                }))
            .With("finished", QueueOverview.FinishedLimit).With("limit", QueueOverview.CountLimit)
            .With("least", FewestCounted).With("sum", MostCounted)
            .Add(Pauses.SelectPausedSql, row => paused.Add(row.GetString(0)))
            .Add(CountLiveSql, row => live = row.GetInt32(0)).With("now", clock.TestNow)
            .Add(CountUnclaimedSql, row => unclaimed.Add(new UnclaimedTasks { Name = row.GetString(0), Tasks = row.GetInt64(1) }))
            .With("now", clock.TestNow).With("limit", QueueOverview.UnclaimedLimit)
            .With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds), age => oldest = age))
                .ConfigureAwait(false);
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

    // Where there are many queues, fewer tasks of each are counted. language=postgresql
    internal const string CountsSql = """
        with recursive queues (queue) as (
            select min(queue) from errand.errand_tasks where state = 10
            union all
            select (select min(t.queue) from errand.errand_tasks t where t.state = 10 and t.queue > queues.queue)
            from   queues
            where  queue is not null
        ),
        bounds as materialized (
            select greatest(@least, least(@limit, @sum / greatest(count(*), 1))) as most
            from   queues
        ),
        counts (queue, state, tasks, is_at_least) as (
            select queues.queue, 10, least(p.tasks, most), p.tasks > most
            from   queues, bounds,
                   lateral (
                       select count(*) as tasks
                       from   (select from errand.errand_tasks t
                               where  t.queue = queues.queue and t.state = 10
                               limit  most + 1) as few) as p
            where  queues.queue is not null
            union all
            select   queue, 11, count(*), sum(count(*)) over () > @limit
            from     (select queue from errand.errand_tasks where state = 11 order by due limit @limit + 1) as first
            group by queue
            union all
            select   queue, 12, count(*), sum(count(*)) over () > @limit
            from     (select queue from errand.errand_tasks where state = 12 limit @limit + 1) as few
            group by queue
            union all
            select   queue, state, count(*), sum(count(*)) over () > @finished
            from     (select queue, state from errand.errand_finished order by id desc limit @finished + 1) as newest
            group by queue, state
        )
        select n.text, c.state, c.tasks, c.is_at_least
        from   counts c join errand.errand_names n on n.id = c.queue
        """;

    // language=postgresql
    private const string CountLiveSql = """
        select count(*)::int
        from   errand.errand_workers w, (select errand.errand_now_ms(@now) as now offset 0) c
        where  greatest(w.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + w.lease > c.now
        """;

    // With a hop for each priority of each queue, however many tasks there are. A task that is due but not promoted yet
    // counts as well, when no worker asks. language=postgresql
    internal const string OldestWaitingSql = """
        with recursive ranks (queue, rank) as (
            (select queue, rank from errand.errand_tasks where state = 10 order by queue, rank limit 1)
            union all
            select n.queue, n.rank
            from   ranks r,
                   lateral (
                       select   t.queue, t.rank
                       from     errand.errand_tasks t
                       where    t.state = 10 and (t.queue, t.rank) > (r.queue, r.rank)
                       order by t.queue, t.rank
                       limit    1) as n
        )
        select case when o.due <= c.now then c.now - o.due end
        from   (select errand.errand_now_ms(@now) as now offset 0) c,
               (select least(
                   (select min(p.due)
                    from   (select queue, rank from ranks limit @hops) as r,
                           lateral (
                               select   t.due
                               from     errand.errand_tasks t
                               where    t.state = 10 and t.queue = r.queue and t.rank = r.rank
                               order by t.due
                               limit    1) as p),
                   (select due from errand.errand_tasks where state = 11 order by due limit 1)) as due) o
        """;

    /// <inheritdoc cref="IQueueInspector.GetOldestWaitingAsync"/>
    internal async Task<TimeSpan?> MeasureOldestAsync(Snapshot snapshot)
    {
        TimeSpan? oldest = null;
        await snapshot.RunAsync(batch => AddOldest(batch, age => oldest = age)).ConfigureAwait(false);
        return oldest;
    }

    private void AddOldest(TurnBatch batch, Action<TimeSpan?> age) => batch
        .Add(OldestWaitingSql, row => age(row.IsDBNull(0) ? null : TimeSpan.FromMilliseconds(row.GetInt64(0))))
        .With("now", clock.TestNow).With("hops", MostHops);

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
