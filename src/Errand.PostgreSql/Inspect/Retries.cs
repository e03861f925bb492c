using System.Text;

namespace Errand.PostgreSql.Inspect;

/// <summary>
/// Retry: a task that has failed permanently waits again under its id, and one that is due later is due now.
/// </summary>
internal sealed class Retries(StoreClock clock)
{
    /// <summary>Failed tasks that are looked at for one page at most.</summary>
    private const int FailedLookedAt = 5_000;

    internal Operation<Turn, (int Count, bool IsThere)> Retry(IReadOnlyList<long> ids) =>
        new RetryOperation(clock, [.. ids]);

    // One whose time has come already keeps its place. language=postgresql
    private const string HurrySql = """
        update errand.errand_tasks
        set    state = 10, due = least(due, errand.errand_now_ms(@now)), parked = null
        where  id = any(@ids) and state + 0 = 11
        returning id
        """;

    // All its attempts are available again; its epoch stays, so that the next start is higher than any before. It has
    // no expiry any more. The attempt that ended it is one among others now. A task whose unique key another holds
    // stays failed. language=postgresql
    private const string ReviveSql = """
        with failed as materialized (
            select *
            from   errand.errand_finished
            where  id = any(@ids) and state = 21
            for update
        ),
        revived as (
            insert into errand.errand_tasks (
                id, owner, epoch, due, enqueued, started, turn, timeout, attempt, rank, queue, name, max_attempts,
                state, unique_key, retry, headers, payload)
            select id, 0, epoch, errand.errand_now_ms(@now), enqueued, started, 0, timeout, 0, rank, queue, name,
                   max_attempts, 10, unique_key, retry, headers, payload
            from   failed
            order by name, unique_key
            on conflict do nothing
            returning id
        ),
        noted as (
            insert into errand.errand_attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, finished, owner, attempt, coalesce(error, ''::bytea)
            from   failed
            where  id in (select id from revived)
            on conflict do nothing
        )
        delete from errand.errand_finished f
        using  revived r
        where  f.id = any(@ids) and f.id = r.id
        returning f.id
        """;

    // language=postgresql
    private const string ExistingSql = """
        select id from errand.errand_tasks where id = any(@ids)
        union all
        select id from errand.errand_finished where id = any(@ids)
        """;

    // language=postgresql
    private const string LiveSql = "select id from errand.errand_tasks where id = any(@ids)";

    // language=postgresql
    private const string LastFailedSql =
        "select finished from errand.errand_finished where state = 21 order by finished desc limit 1";

    // language=postgresql
    private const string ListFailedSql = """
        select id, finished
        from   (
            select   id, finished, queue, name
            from     errand.errand_finished
            where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
            order by finished, id
            limit    @looked) as page
        where  queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        and    (@error = ''::bytea
                or (select position(@error in f.error) from errand.errand_finished f where f.id = page.id) > 0)
        order by finished, id
        limit  @limit
        """;

    // language=postgresql
    private const string LastLookedAtSql = """
        select   id, finished
        from     errand.errand_finished
        where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
        order by finished, id
        limit    1 offset @looked
        """;

    /// <summary>
    /// The next failed tasks that a filter means, in the order in which they failed. None that fails after the first
    /// look is among them: one that fails again at once would be retried forever.
    /// </summary>
    internal static async Task<FailedPage> ListFailedAsync(Snapshot snapshot, TaskFilter filter, FailedPage previous)
    {
        var until = previous.Until;
        if (until is null)
        {
            await snapshot.RunAsync(batch => batch.Add(LastFailedSql, row => until = row.GetInt64(0)))
                .ConfigureAwait(false);
        }

        if (previous.Next is not { } after || until is not { } last
            || await FilterNames.FindAsync(snapshot, filter).ConfigureAwait(false) is not { } names)
        {
            return FailedPage.None;
        }

        List<long> ids = [];
        FailedMark? next = null;
        FailedMark? lookedDownTo = null;
        await snapshot.RunAsync(batch => batch
            .Add(ListFailedSql, row =>
            {
                ids.Add(row.GetInt64(0));
                next = new FailedMark(row.GetInt64(1), row.GetInt64(0));
            })
            .With("finished", after.Finished).With("id", after.Id).With("until", last).With("looked", FailedLookedAt)
            .With("queue", (long?)names.Queue).With("name", (long?)names.Name)
            .With("error", Encoding.UTF8.GetBytes(filter.ErrorContains ?? "")).With("limit", PageQuery.RetryBatch)
            .Add(LastLookedAtSql, row => lookedDownTo = new FailedMark(row.GetInt64(1), row.GetInt64(0)))
            .With("finished", after.Finished).With("id", after.Id).With("until", last)
            .With("looked", FailedLookedAt - 1))
            .ConfigureAwait(false);
        return new FailedPage(ids, ids.Count < PageQuery.RetryBatch ? lookedDownTo : next, last);
    }

    private sealed class RetryOperation(
        StoreClock clock, long[] ids) : Operation<Turn, (int Count, bool IsThere)>, ILocksTasks
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override int Rows => ids.Length;

        public IEnumerable<long> LockedTasks => ids.Length == 1 ? ids : [];

        internal override void Run(Turn turn)
        {
            var retried = new HashSet<long>();
            if (MayBeDone)
            {
                // By a turn whose answer was lost.
                turn.Add(LiveSql, row => retried.Add(row.GetInt64(0))).With("ids", ids);
            }

            Result = default;
            turn.WaitAgain(HurrySql, row => retried.Add(row.GetInt64(0))).With("ids", ids).With("now", clock.TestNow);
            turn.Insert(ReviveSql, [], row => retried.Add(row.GetInt64(0))).With("ids", ids).With("now", clock.TestNow);
            Attempts.Forget(turn, ids);
            turn.Add(ExistingSql, _ => Result = (retried.Count, true)).With("ids", ids);
            turn.Ready();
        }
    }
}
