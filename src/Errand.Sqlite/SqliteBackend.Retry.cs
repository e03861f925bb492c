using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Retry: what has failed for good waits anew under its id, and what is due later is due now.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>Tasks that are retried in one transaction at most: some milliseconds.</summary>
    private const int RetryBatch = 500;

    /// <summary>Failed tasks that are looked at for one such batch at most.</summary>
    private const int RetryLooksAt = ErrorsLookedAt;

    /// <inheritdoc/>
    public async ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default)
    {
        var outcomes = await SubmitAsync(new RetryOperation(this, [id.Value]), cancellationToken).ConfigureAwait(false);
        return outcomes[0] switch
        {
            RetryOutcome.Retried => true,
            RetryOutcome.Missing => throw new TaskNotFoundException(id),
            _ => false,
        };
    }

    /// <inheritdoc/>
    public async ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        filter.ValidateForRetry();

        // Found by reads, and then written by id: a batch that is run again after a rollback is the same batch.
        var retried = 0L;
        var failed = new FailedPage([], new FailedMark(long.MinValue, 0), null);
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            failed = await SubmitAsync(new FailedOperation(this, filter, failed), CancellationToken.None).ConfigureAwait(false);
            if (failed.Ids.Count > 0)
            {
                var outcomes = await SubmitAsync(new RetryOperation(this, failed.Ids), CancellationToken.None).ConfigureAwait(false);
                retried += outcomes.Count(outcome => outcome == RetryOutcome.Retried);
            }
        }
        while (failed.Next is not null);

        return retried;
    }

    // The attempts that it has had are all charged back; its epoch stays, so that the next start is higher than any before. It has
    // no expiry any more. language=sqlite
    private const string ReviveSql = """
        insert into tasks (
            id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, timeout, unique_key, retry,
            payload)
        select id, 10, @nobody, epoch, 0, priority, @now, started, queue, name, max_attempts, enqueued, timeout, unique_key, retry,
               payload
        from   finished
        where  id = @id and state = 21
        """;

    // The attempt that ended it is one among others now; which worker it had is not kept. language=sqlite
    private const string NoteRevivedSql = """
        insert or replace into attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, finished, 0, coalesce(error, '')
        from   finished
        where  id = @id
        """;

    // language=sqlite
    private const string DeleteFinishedSql = "delete from finished where id = @id";

    // language=sqlite
    private const string HasRivalSql = """
        select 1
        from   finished join tasks on tasks.name = finished.name and tasks.unique_key = finished.unique_key
        where  finished.id = @id and finished.state = 21 and tasks.unique_key is not null
        """;

    // One whose time has come already keeps its place. language=sqlite
    private const string HurrySql =
        "update tasks set state = 10, due = min(due, @now), parked = null where id = @id and state = 11";

    private RetryOutcome Retry(long id)
    {
        if (Database.Statement(HurrySql).With(_now).With(id).Execute() == 1)
        {
            NoteReady();
            return RetryOutcome.Retried;
        }

        if (Database.Statement(HasRivalSql).With(id).Scalar() is not null)
        {
            return RetryOutcome.KeyIsHeld;
        }

        if (Database.Statement(ReviveSql).With(Nobody).With(_now).With(id).Execute() == 1)
        {
            Database.Statement(NoteRevivedSql).With(id).Execute();
            Database.Statement(ForgetAttemptsSql).With(id).With(Defaults.AttemptsKept).Execute();
            Database.Statement(DeleteFinishedSql).With(id).Execute();
            NoteReady();
            return RetryOutcome.Retried;
        }

        return Exists(Database, id) ? RetryOutcome.NotFailed : RetryOutcome.Missing;
    }

    // language=sqlite
    private const string LastFailedSql = "select finished from finished where state = 21 order by finished desc limit 1";

    // language=sqlite
    private const string ListFailedSql = """
        select id, finished
        from   (
            select   id, finished, queue, name
            from     finished
            where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
            order by finished, id
            limit    @looked) as page
        where  queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        and    (@error is null or instr((select error from finished as one where one.id = page.id), @error) > 0)
        limit  @limit
        """;

    // language=sqlite
    private const string LastLookedAtSql = """
        select   id, finished
        from     finished
        where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
        order by finished, id
        limit    1 offset @looked
        """;

    /// <summary>
    /// The next failed tasks that a filter means, in the order in which they failed. None that fails after the first look is among
    /// them: one that fails again at once would be retried for ever.
    /// </summary>
    private FailedPage ListFailed(TaskFilter filter, FailedPage previous)
    {
        var until = previous.Until ?? Database.Statement(LastFailedSql).Scalar();
        if (previous.Next is not { } after || until is not { } last
            || !TryFindName(filter.Queue, out var queue) || !TryFindName(filter.Name, out var name))
        {
            return new FailedPage([], null, null);
        }

        List<long> ids = [];
        FailedMark? next = null;
        var rows = Database.Statement(ListFailedSql).With(after.Finished).With(after.Id).With(last).With(RetryLooksAt).With(queue)
            .With(name).With(filter.ErrorContains).With(RetryBatch);
        while (rows.Step())
        {
            ids.Add(rows.Int64(0));
            next = new FailedMark(rows.Int64(1), rows.Int64(0));
        }

        if (ids.Count < RetryBatch)
        {
            var row = Database.Statement(LastLookedAtSql).With(after.Finished).With(after.Id).With(last).With(RetryLooksAt - 1);
            next = row.Step() ? new FailedMark(row.Int64(1), row.Int64(0)) : null;
            row.Reset();
        }

        return new FailedPage(ids, next, last);
    }

    private enum RetryOutcome
    {
        Retried,

        /// <summary>It is pending, runs, or has ended otherwise.</summary>
        NotFailed,

        /// <summary>Another task that lives has its unique key.</summary>
        KeyIsHeld,

        Missing,
    }

    /// <summary>Where among the failed tasks one is.</summary>
    private readonly record struct FailedMark(long Finished, long Id);

    /// <summary>Some failed tasks.</summary>
    /// <param name="Ids">Which.</param>
    /// <param name="Next">After what the next begin; null when there are no more.</param>
    /// <param name="Until">When the last failed of those that are meant; null before that is known.</param>
    private sealed record FailedPage(IReadOnlyList<long> Ids, FailedMark? Next, long? Until);

    private sealed class FailedOperation(SqliteBackend backend, TaskFilter filter, FailedPage previous) : Operation<FailedPage>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(() => backend.ListFailed(filter, previous));
    }

    private sealed class RetryOperation(SqliteBackend backend, IReadOnlyList<long> ids) : Operation<RetryOutcome[]>
    {
        private readonly RetryOutcome?[] _outcomes = new RetryOutcome?[ids.Count];

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            for (var i = 0; i < _outcomes.Length; i++)
            {
                // After a rollback whose commit was done after all, a second run finds the task waiting, or further on.
                var outcome = backend.Retry(ids[i]);
                _outcomes[i] = _outcomes[i] == RetryOutcome.Retried && outcome == RetryOutcome.NotFailed ? _outcomes[i] : outcome;
            }

            Result = [.. _outcomes.Select(outcome => outcome.GetValueOrDefault())];
        }
    }
}
