using System.Data;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>What an operator sees: counts, live workers, and what waits in vain. Reads alone, in one snapshot.</summary>
public sealed partial class PostgresBackend
{
    /// <inheritdoc/>
    public async ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default) =>
        await LookAsync(TakeOverviewAsync, cancellationToken).ConfigureAwait(false);

    /// <summary>Looks in one snapshot, on a connection of its own: a look at a million tasks must not hold up a turn.</summary>
    private async Task<T> LookAsync<T>(Func<Look, Task<T>> look, CancellationToken cancellationToken)
    {
        await InitializeAsync(cancellationToken).ConfigureAwait(false);
        var connection = await _store.OpenAsync("looks", cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken)
                    .ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    return await look(new Look(connection, transaction, _store)).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, _store.Name);
            }
        }
    }

    private async Task<QueueOverview> TakeOverviewAsync(Look look)
    {
        List<QueueCount> counts = [];
        List<UnclaimedTasks> unclaimed = [];
        List<string> paused = [];
        var live = 0;
        TimeSpan? oldest = null;
        await look.RunAsync(batch => batch
            .Add(CountsSql, row => counts.Add(new QueueCount
                {
                    Queue = row.GetString(0), State = (TaskState)row.GetInt32(1), Tasks = row.GetInt64(2),
                }))
            .With("finished", QueueOverview.FinishedLimit)
            .Add(SelectPausedSql, row => paused.Add(row.GetString(0)))
            .Add(CountLiveSql, row => live = row.GetInt32(0)).With("now", TestNow)
            .Add(OldestWaitingSql, row => oldest = row.IsDBNull(0) ? null : TimeSpan.FromMilliseconds(row.GetInt64(0)))
            .With("now", TestNow)
            .Add(CountUnclaimedSql, row => unclaimed.Add(new UnclaimedTasks { Name = row.GetString(0), Tasks = row.GetInt64(1) }))
            .With("now", TestNow).With("limit", QueueOverview.UnclaimedLimit)
            .With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds)).ConfigureAwait(false);
        return new QueueOverview
        {
            Counts = [.. counts.OrderBy(count => count.Queue, StringComparer.Ordinal).ThenBy(count => count.State)],
            PausedQueues = [.. paused.Order(StringComparer.Ordinal)],
            LiveWorkers = live,
            OldestWaiting = oldest,
            Unclaimed =
            [
                .. unclaimed.OrderByDescending(count => count.Tasks).ThenBy(count => count.Name, StringComparer.Ordinal),
            ],
        };
    }

    // language=postgresql
    private const string CountsSql = """
        with counts as (
            select   queue, 10 as state, count(*) as tasks from errand.tasks where state = 10 group by queue
            union all
            select   queue, 11, count(*) from errand.tasks where state = 11 group by queue
            union all
            select   queue, 12, count(*) from errand.tasks where state = 12 group by queue
            union all
            select   queue, state, count(*)
            from     (select queue, state from errand.finished order by id desc limit @finished) as newest
            group by queue, state
        )
        select n.text, c.state, c.tasks
        from   counts c join errand.names n on n.id = c.queue
        """;

    // language=postgresql
    private const string CountLiveSql = """
        select count(*)::int
        from   errand.workers w, (select errand.now_ms(@now) as now offset 0) c
        where  greatest(w.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + w.lease > c.now
        """;

    // Due but not yet promoted counts as well, when no worker asks. language=postgresql
    private const string OldestWaitingSql = """
        select case when o.due <= c.now then c.now - o.due end
        from   (select errand.now_ms(@now) as now offset 0) c,
               (select least(
                   (select min(due) from errand.tasks where state = 10),
                   (select due from errand.tasks where state = 11 order by due limit 1)) as due) o
        """;

    // Parked tasks are due within the time of parking; beyond it nothing is waited for in vain. language=postgresql
    private const string CountUnclaimedSql = """
        with recursive queues (queue) as (
            select min(queue) from errand.tasks where state = 10
            union all
            select (select min(t.queue) from errand.tasks t where t.state = 10 and t.queue > queues.queue)
            from   queues
            where  queue is not null
        ),
        clock as materialized (
            select errand.now_ms(@now) as now
        ),
        waiting as (
            select h.name
            from   queues q,
                   lateral (
                       select name
                       from   errand.tasks
                       where  queue = q.queue and state = 10
                       order by rank, due, id
                       limit  @limit) as h
            where  q.queue is not null
            union all
            select s.name
            from   clock,
                   lateral (
                       select name
                       from   errand.tasks
                       where  state = 11 and due <= now + @parking and (due <= now or parked = 1)
                       order by due
                       limit  @limit) as s
        )
        select   n.text, count(*)
        from     waiting w join errand.names n on n.id = w.name
        where    not exists (
            select
            from   errand.worker_names k
            join   errand.workers a on a.id = k.worker, clock
            where  k.name = w.name
            and    greatest(a.beat, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) + a.lease > clock.now)
        group by n.text
        """;

    /// <summary>One snapshot of the store, and how statements are run in it.</summary>
    private sealed record Look(NpgsqlConnection Connection, NpgsqlTransaction Transaction, PostgresStore Store)
    {
        internal async Task RunAsync(Action<TurnBatch> add)
        {
            var batch = new TurnBatch(Connection, Store, Transaction);
            await using (batch.ConfigureAwait(false))
            {
                add(batch);
                await batch.RunAsync().ConfigureAwait(false);
            }
        }
    }
}
