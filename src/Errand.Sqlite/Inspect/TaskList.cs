namespace Errand.Sqlite.Inspect;

/// <summary>Pages of tasks, newest first, over both tables; of each row only what a list shows is read.</summary>
internal static class TaskList
{
    /// <inheritdoc cref="IQueueInspector.ListAsync"/>
    internal static Operation<Turn, TaskPage> List(TaskFilter? filter, int limit, TaskId? before)
    {
        PageQuery.CheckLimit(limit);
        return new ListOperation((filter ?? new TaskFilter()).Validated(), limit, before?.Value ?? long.MaxValue);
    }

    /// <summary>
    /// Looks at both tables down to the same id, however little each has given by then: what is below it is the next
    /// page's.
    /// </summary>
    private static TaskPage List(Turn snapshot, TaskFilter filter, int limit, long before)
    {
        if (!TryFindName(snapshot, filter.Queue, out var queue) || !TryFindName(snapshot, filter.Name, out var name))
        {
            return new TaskPage { Tasks = [], Next = null }; // No task has ever had it; looking makes no name known.
        }

        var query = new PageQuery(filter, queue, name, limit + 1, before); // One more tells whether there are more.
        List<TaskSummary> found = [];
        return query.ToPage(found, Math.Max(ListLive(snapshot, query, found), ListFinished(snapshot, query, found)));
    }

    internal static bool TryFindName(Turn snapshot, string? text, out long? id)
    {
        id = text is null ? null : snapshot.Names.Find(snapshot.Database, text);
        return text is null || id is not null;
    }

    // The inner select is run row by row, so that the outer one keeps its order and ends it when the page is full; its
    // limit keeps filters out of it, so that it counts what is looked at. language=sqlite
    private const string ListLiveSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, null
        from   (
            select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started
            from     errand_tasks
            where    id < @before
            order by id desc
            limit    @looked)
        where  (1 << state) & @states <> 0 and queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  @limit
        """;

    // language=sqlite
    private const string LastLiveSql = "select id from errand_tasks where id < @before order by id desc limit 1 offset @looked";

    /// <returns>The id that it has looked down to; 0 when it has seen all.</returns>
    private static long ListLive(Turn snapshot, PageQuery query, List<TaskSummary> found)
    {
        if (!query.AsksLive)
        {
            return 0;
        }

        var rows = snapshot.Statement(ListLiveSql).With(query.Before).With(TaskPage.LookedAt).With(query.States).With(query.Queue)
            .With(query.Name).With(query.Limit);
        return ReadList(snapshot, rows, query, found) ?? LastOf(snapshot, LastLiveSql, query, TaskPage.LookedAt);
    }

    // As above. language=sqlite
    private const string ListFinishedSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
        from   (
            select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
            from     errand_finished
            where    id < @before
            order by id desc
            limit    @looked)
        where  (1 << state) & @states <> 0 and queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  @limit
        """;

    // language=sqlite
    private const string LastFinishedSql = "select id from errand_finished where id < @before order by id desc limit 1 offset @looked";

    /// <inheritdoc cref="ListLive"/>
    private static long ListFinished(Turn snapshot, PageQuery query, List<TaskSummary> found)
    {
        if (query.Filter.ErrorContains is { } text)
        {
            return ListErrors(snapshot, query, text, found);
        }

        if (!query.AsksFinished)
        {
            return 0;
        }

        var rows = snapshot.Statement(ListFinishedSql).With(query.Before).With(TaskPage.LookedAt).With(query.States).With(query.Queue)
            .With(query.Name).With(query.Limit);
        return ReadList(snapshot, rows, query, found) ?? LastOf(snapshot, LastFinishedSql, query, TaskPage.LookedAt);
    }

    // As above, but that the errors, which lie beside the rows, are counted as well: those of what failed or was
    // cancelled, of which alone there are any. language=sqlite
    private const string ListErrorsSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
        from   (
            select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
            from   (
                select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
                from     errand_finished
                where    id < @before
                order by id desc
                limit    @looked)
            where  (1 << state) & @states <> 0 and state in (21, 22)
            and    queue = coalesce(@queue, queue) and name = coalesce(@name, name)
            limit  @errors) as page
        where  instr((select error from errand_finished as one where one.id = page.id), @error) > 0
        limit  @limit
        """;

    // language=sqlite
    private const string LastErrorSql = """
        select id
        from   (select id, state, queue, name from errand_finished where id < @before order by id desc limit @looked)
        where  (1 << state) & @states <> 0 and state in (21, 22)
        and    queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  1 offset @errors
        """;

    /// <inheritdoc cref="ListLive"/>
    private static long ListErrors(Turn snapshot, PageQuery query, string text, List<TaskSummary> found)
    {
        if (!query.AsksErrors)
        {
            return 0;
        }

        var rows = snapshot.Statement(ListErrorsSql).With(query.Before).With(TaskPage.LookedAt).With(query.States).With(query.Queue)
            .With(query.Name).With(PageQuery.ErrorsLookedAt).With(text).With(query.Limit);
        return ReadList(snapshot, rows, query, found)
            ?? snapshot.Statement(LastErrorSql).With(query.Before).With(TaskPage.LookedAt).With(query.States).With(query.Queue)
                .With(query.Name).With(PageQuery.ErrorsLookedAt - 1).Scalar()
            ?? LastOf(snapshot, LastFinishedSql, query, TaskPage.LookedAt);
    }

    /// <returns>The id of the last, when there are as many as were asked for; else null.</returns>
    private static long? ReadList(Turn snapshot, SqliteStatement rows, PageQuery query, List<TaskSummary> found)
    {
        var count = 0;
        while (rows.Step())
        {
            found.Add(new TaskSummary
            {
                Id = new TaskId(rows.Int64(0)),
                State = (TaskState)rows.Int32(1),
                Queue = snapshot.TextOf(rows.Int64(2)),
                Name = snapshot.TextOf(rows.Int64(3)),
                Priority = rows.Int32(4),
                Attempt = rows.Int32(5),
                EnqueuedAt = rows.Time(7),
                DueAt = rows.Time(8),
                StartedAt = rows.Int64(6) > 0 ? rows.Time(9) : null, // Before the first start that of the enqueue stands there.
                FinishedAt = rows.IsNull(10) ? null : rows.Time(10),
            });
            count++;
        }

        return count == query.Limit ? found[^1].Id.Value : null;
    }

    private static long LastOf(Turn snapshot, string sql, PageQuery query, int looked) =>
        snapshot.Statement(sql).With(query.Before).With(looked - 1).Scalar() ?? 0;

    private sealed class ListOperation(TaskFilter filter, int limit, long before) : Operation<Turn, TaskPage>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(snapshot => TaskList.List(snapshot, filter, limit, before));
    }
}
