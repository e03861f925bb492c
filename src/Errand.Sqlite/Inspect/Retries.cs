namespace Errand.Sqlite.Inspect;

/// <summary>
/// Retry: a task that has failed permanently waits again under its id, and one that is due later is due now.
/// </summary>
internal static class Retries
{
    /// <summary>Failed tasks that are looked at for one batch at most.</summary>
    private const int RetryLooksAt = PageQuery.ErrorsLookedAt;

    /// <inheritdoc cref="IQueueInspector.RetryAsync(TaskId, CancellationToken)"/>
    internal static async ValueTask<bool> RetryAsync(IInbox<Turn> inbox, long id, CancellationToken cancellationToken)
    {
        var outcomes = await inbox.SubmitAsync(new RetryOperation([id]), cancellationToken).ConfigureAwait(false);
        return outcomes[0] switch
        {
            RetryOutcome.Retried => true,
            RetryOutcome.Missing => throw new TaskNotFoundException(new TaskId(id)),
            _ => false,
        };
    }

    /// <inheritdoc cref="IQueueInspector.RetryAsync(TaskFilter, CancellationToken)"/>
    internal static ValueTask<long> RetryAsync(IInbox<Turn> inbox, TaskFilter filter, CancellationToken cancellationToken) =>
        FailedPage.RetryAllAsync(
            filter,
            page => inbox.SubmitAsync(new FailedOperation(filter, page), CancellationToken.None).AsTask(),
            async ids => (await inbox.SubmitAsync(new RetryOperation(ids), CancellationToken.None).ConfigureAwait(false))
                .Count(outcome => outcome == RetryOutcome.Retried),
            cancellationToken);

    // The attempts that it has had are all charged back; its epoch stays, so that the next start is higher than any
    // before. It has no expiry any more. language=sqlite
    private const string ReviveSql = """
        insert into errand_tasks (
            id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, timeout, unique_key, retry,
            headers, payload)
        select id, 10, @nobody, epoch, 0, priority, @now, started, queue, name, max_attempts, enqueued, timeout, unique_key, retry,
               headers, payload
        from   errand_finished
        where  id = @id and state = 21
        """;

    // One whose time has come already keeps its place. language=sqlite
    private const string HurrySql =
        "update errand_tasks set state = 10, due = min(due, @now), parked = null where id = @id and state = 11";

    private static RetryOutcome Retry(Turn turn, long id)
    {
        if (turn.WaitAgain(turn.Now, turn.Statement(HurrySql).With(turn.Now).With(id)) == 1)
        {
            return RetryOutcome.Retried;
        }

        if (UniqueKeys.HasRival(turn, id))
        {
            return RetryOutcome.KeyIsHeld;
        }

        if (turn.Insert(id, turn.Statement(ReviveSql).With(Turn.Nobody).With(turn.Now).With(id), Attempts.NoteRevived))
        {
            return RetryOutcome.Retried;
        }

        return turn.Exists(id) ? RetryOutcome.NotFailed : RetryOutcome.Missing;
    }

    // language=sqlite
    private const string LastFailedSql = "select finished from errand_finished where state = 21 order by finished desc limit 1";

    // language=sqlite
    private const string ListFailedSql = """
        select id, finished
        from   (
            select   id, finished, queue, name
            from     errand_finished
            where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
            order by finished, id
            limit    @looked) as page
        where  queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        and    (@error is null or instr((select error from errand_finished as one where one.id = page.id), @error) > 0)
        limit  @limit
        """;

    // language=sqlite
    private const string LastLookedAtSql = """
        select   id, finished
        from     errand_finished
        where    state = 21 and (finished, id) > (@finished, @id) and finished <= @until
        order by finished, id
        limit    1 offset @looked
        """;

    /// <summary>
    /// The next failed tasks that a filter means, in the order in which they failed. None that fails after the first
    /// look is among them: one that fails again at once would be retried forever.
    /// </summary>
    private static FailedPage ListFailed(Turn snapshot, TaskFilter filter, FailedPage previous)
    {
        var until = previous.Until ?? snapshot.Statement(LastFailedSql).Scalar();
        if (previous.Next is not { } after || until is not { } last
            || !TaskList.TryFindName(snapshot, filter.Queue, out var queue) || !TaskList.TryFindName(snapshot, filter.Name, out var name))
        {
            return FailedPage.None;
        }

        List<long> ids = [];
        FailedMark? next = null;
        var rows = snapshot.Statement(ListFailedSql).With(after.Finished).With(after.Id).With(last).With(RetryLooksAt).With(queue)
            .With(name).With(filter.ErrorContains).With(PageQuery.RetryBatch);
        while (rows.Step())
        {
            ids.Add(rows.Int64(0));
            next = new FailedMark(rows.Int64(1), rows.Int64(0));
        }

        if (ids.Count < PageQuery.RetryBatch)
        {
            var row = snapshot.Statement(LastLookedAtSql).With(after.Finished).With(after.Id).With(last).With(RetryLooksAt - 1);
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

        /// <summary>Another live task has its unique key.</summary>
        KeyIsHeld,

        Missing,
    }

    private sealed class FailedOperation(TaskFilter filter, FailedPage previous) : Operation<Turn, FailedPage>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(snapshot => ListFailed(snapshot, filter, previous));
    }

    private sealed class RetryOperation(IReadOnlyList<long> ids) : Operation<Turn, RetryOutcome[]>
    {
        private readonly RetryOutcome?[] _outcomes = new RetryOutcome?[ids.Count];

        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn)
        {
            for (var i = 0; i < _outcomes.Length; i++)
            {
                // After a rollback whose commit was done after all, a second run finds the task waiting, or further on.
                var outcome = Retry(turn, ids[i]);
                _outcomes[i] = _outcomes[i] == RetryOutcome.Retried && outcome == RetryOutcome.NotFailed ? _outcomes[i] : outcome;
            }

            Result = [.. _outcomes.Select(outcome => outcome.GetValueOrDefault())];
        }
    }
}
