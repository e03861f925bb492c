using System.Text;
using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Retry: what has failed for good waits anew under its id, and what is due later is due now.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>Tasks that are retried in one transaction at most.</summary>
    private const int RetryBatch = 500;

    /// <summary>Failed tasks that are looked at for one such batch at most.</summary>
    private const int RetryLooksAt = 5_000;

    /// <inheritdoc/>
    public async ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default)
    {
        var retried = await SubmitAsync(new RetryOperation(this, [id.Value]), cancellationToken).ConfigureAwait(false);
        return retried.IsThere ? retried.Count > 0 : throw new TaskNotFoundException(id);
    }

    /// <inheritdoc/>
    public async ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        filter.ValidateForRetry();

        // Found by reads, and then written by id: a batch that is redone is the same batch.
        var retried = 0L;
        var failed = new FailedPage([], new FailedMark(long.MinValue, 0), null);
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            var previous = failed;
            failed = await LookAsync(look => ListFailedAsync(look, filter, previous), CancellationToken.None).ConfigureAwait(false);
            if (failed.Ids.Count > 0)
            {
                retried += (await SubmitAsync(new RetryOperation(this, [.. failed.Ids]), CancellationToken.None).ConfigureAwait(false)).Count;
            }
        }
        while (failed.Next is not null);

        return retried;
    }

    // One whose time has come already keeps its place. language=postgresql
    private const string HurrySql = """
        update errand.tasks
        set    state = 10, due = least(due, errand.now_ms(@now)), parked = null
        where  id = any(@ids) and state + 0 = 11
        returning id
        """;

    // The attempts that it has had are all charged back; its epoch stays, so that the next start is higher than any before. It has
    // no expiry any more. The attempt that ended it is one among others now. Whose unique key another holds stays. language=postgresql
    private const string ReviveSql = """
        with failed as materialized (
            select *
            from   errand.finished
            where  id = any(@ids) and state = 21
            for update
        ),
        revived as (
            insert into errand.tasks (
                id, owner, epoch, due, enqueued, started, turn, timeout, attempt, rank, queue, name, max_attempts, state, unique_key, retry,
                payload)
            select id, 0, epoch, errand.now_ms(@now), enqueued, started, 0, timeout, 0, rank, queue, name, max_attempts, 10, unique_key,
                   retry, payload
            from   failed
            order by name, unique_key
            on conflict do nothing
            returning id
        ),
        noted as (
            insert into errand.attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, finished, owner, attempt, coalesce(error, ''::bytea)
            from   failed
            where  id in (select id from revived)
            on conflict do nothing
        )
        delete from errand.finished f
        using  revived r
        where  f.id = any(@ids) and f.id = r.id
        returning f.id
        """;

    // language=postgresql
    private const string ExistingSql = """
        select id from errand.tasks where id = any(@ids)
        union all
        select id from errand.finished where id = any(@ids)
        """;

    // language=postgresql
    private const string LiveSql = "select id from errand.tasks where id = any(@ids)";

    // language=postgresql
    private const string LastFailedSql = "select finished from errand.finished where state = 21 order by finished desc limit 1";

    // language=postgresql
    private const string ListFailedSql = """
        select id, finished
        from   (
            select   id, finished, queue, name
            from     errand.finished
            where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
            order by finished, id
            limit    @looked) as page
        where  queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        and    (@error = ''::bytea or (select position(@error in f.error) from errand.finished f where f.id = page.id) > 0)
        order by finished, id
        limit  @limit
        """;

    // language=postgresql
    private const string LastLookedAtSql = """
        select   id, finished
        from     errand.finished
        where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
        order by finished, id
        limit    1 offset @looked
        """;

    /// <summary>
    /// The next failed tasks that a filter means, in the order in which they failed. None that fails after the first look is among
    /// them: one that fails again at once would be retried for ever.
    /// </summary>
    private static async Task<FailedPage> ListFailedAsync(Look look, TaskFilter filter, FailedPage previous)
    {
        var until = previous.Until;
        if (until is null)
        {
            await look.RunAsync(batch => batch.Add(LastFailedSql, row => until = row.GetInt64(0))).ConfigureAwait(false);
        }

        if (previous.Next is not { } after || until is not { } last
            || await FindNamesAsync(look, filter).ConfigureAwait(false) is not { } names)
        {
            return new FailedPage([], null, null);
        }

        List<long> ids = [];
        FailedMark? next = null;
        FailedMark? lookedDownTo = null;
        await look.RunAsync(batch => batch
            .Add(ListFailedSql, row =>
            {
                ids.Add(row.GetInt64(0));
                next = new FailedMark(row.GetInt64(1), row.GetInt64(0));
            })
            .With("finished", after.Finished).With("id", after.Id).With("until", last).With("looked", RetryLooksAt)
            .With("queue", (long?)names.Queue).With("name", (long?)names.Name)
            .With("error", Encoding.UTF8.GetBytes(filter.ErrorContains ?? "")).With("limit", RetryBatch)
            .Add(LastLookedAtSql, row => lookedDownTo = new FailedMark(row.GetInt64(1), row.GetInt64(0)))
            .With("finished", after.Finished).With("id", after.Id).With("until", last).With("looked", RetryLooksAt - 1))
            .ConfigureAwait(false);
        return new FailedPage(ids, ids.Count < RetryBatch ? lookedDownTo : next, last);
    }

    /// <summary>Where among the failed tasks one is.</summary>
    private readonly record struct FailedMark(long Finished, long Id);

    /// <summary>Some failed tasks.</summary>
    /// <param name="Ids">Which.</param>
    /// <param name="Next">After what the next begin; null when there are no more.</param>
    /// <param name="Until">When the last failed of those that are meant; null before that is known.</param>
    private sealed record FailedPage(IReadOnlyList<long> Ids, FailedMark? Next, long? Until);

    private sealed class RetryOperation(PostgresBackend backend, long[] ids) : Operation<(int Count, bool IsThere)>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override int Rows => ids.Length;

        internal override long? Task => ids.Length == 1 ? ids[0] : null;

        internal override void Run(TurnBatch batch)
        {
            var retried = new HashSet<long>();
            if (MayBeDone)
            {
                batch.Add(LiveSql, row => retried.Add(row.GetInt64(0))).With("ids", ids); // By a turn whose answer was lost.
            }

            Result = default;
            batch
                .Add(HurrySql, row => retried.Add(row.GetInt64(0))).With("ids", ids).With("now", backend.TestNow)
                .Add(ReviveSql, row => retried.Add(row.GetInt64(0))).With("ids", ids).With("now", backend.TestNow)
                .Add(ForgetAttemptsSql, _ => { }).With("ids", ids).With("kept", Defaults.AttemptsKept)
                .Add(ExistingSql, _ => Result = (retried.Count, true)).With("ids", ids);
            backend._floorVersion++;
            backend.NoteReady();
        }
    }
}
