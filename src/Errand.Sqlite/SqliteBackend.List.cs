using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>List: pages of tasks, newest first, over both tables; of each row only what a list shows is read.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>
    /// Errors that one page looks into at most: each may have 16 KiB, and a text that is nearly in all of them takes 0.1 ms each.
    /// </summary>
    private const int ErrorsLookedAt = 2_000;

    /// <inheritdoc/>
    public async ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default)
    {
        if (limit is < 1 or > TaskPage.MaxTasks)
        {
            throw new ArgumentOutOfRangeException(
                nameof(limit), limit, $"A page has 1 to {TaskPage.MaxTasks:N0} tasks; take the next one with its {nameof(TaskPage.Next)}.");
        }

        var list = new ListOperation(this, (filter ?? new TaskFilter()).Validated(), limit, before?.Value ?? long.MaxValue);
        return await SubmitAsync(list, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Looks at both tables down to the same id, however little each has given by then: what is below it is the next page's.
    /// </summary>
    private TaskPage List(TaskFilter filter, int limit, long before)
    {
        if (!TryFindName(filter.Queue, out var queue) || !TryFindName(filter.Name, out var name))
        {
            return new TaskPage { Tasks = [], Next = null }; // No task has ever had it; looking makes no name known.
        }

        var wish = new ListWish(filter, queue, name, limit + 1, before); // One more tells whether there are more.
        List<TaskSummary> found = [];
        var lookedDownTo = Math.Max(ListLive(wish, found), ListFinished(wish, found));
        var tasks = found.Where(task => task.Id.Value >= lookedDownTo).OrderByDescending(task => task.Id).Take(limit + 1).ToList();
        if (tasks.Count > limit)
        {
            tasks.RemoveAt(limit);
            lookedDownTo = tasks[^1].Id.Value;
        }

        return new TaskPage { Tasks = tasks, Next = lookedDownTo > 0 ? new TaskId(lookedDownTo) : null };
    }

    private bool TryFindName(string? text, out long? id)
    {
        id = text is null ? null : _names.Find(Database, text);
        return text is null || id is not null;
    }

    // The inner select is run row by row, so that the outer one keeps its order and ends it when the page is full; its limit keeps
    // filters out of it, so that it counts what is looked at. language=sqlite
    private const string ListLiveSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, null
        from   (
            select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started
            from     tasks
            where    id < @before
            order by id desc
            limit    @looked)
        where  (1 << state) & @states <> 0 and queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  @limit
        """;

    // language=sqlite
    private const string LastLiveSql = "select id from tasks where id < @before order by id desc limit 1 offset @looked";

    /// <returns>The id that it has looked down to; 0 when it has seen all.</returns>
    private long ListLive(ListWish wish, List<TaskSummary> found)
    {
        // A task that lives has no error that it ended with.
        if (wish.Filter.ErrorContains is not null || !wish.AsksAny(TaskState.Pending, TaskState.Scheduled, TaskState.Running))
        {
            return 0;
        }

        var rows = Database.Statement(ListLiveSql).With(wish.Before).With(TaskPage.LookedAt).With(wish.States).With(wish.Queue)
            .With(wish.Name).With(wish.Limit);
        return ReadList(rows, wish, found) ?? LastOf(LastLiveSql, wish, TaskPage.LookedAt);
    }

    // As above. language=sqlite
    private const string ListFinishedSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
        from   (
            select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
            from     finished
            where    id < @before
            order by id desc
            limit    @looked)
        where  (1 << state) & @states <> 0 and queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  @limit
        """;

    // language=sqlite
    private const string LastFinishedSql = "select id from finished where id < @before order by id desc limit 1 offset @looked";

    /// <inheritdoc cref="ListLive"/>
    private long ListFinished(ListWish wish, List<TaskSummary> found)
    {
        if (wish.Filter.ErrorContains is { } text)
        {
            return ListErrors(wish, text, found);
        }

        if (!wish.AsksAny(TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired))
        {
            return 0;
        }

        var rows = Database.Statement(ListFinishedSql).With(wish.Before).With(TaskPage.LookedAt).With(wish.States).With(wish.Queue)
            .With(wish.Name).With(wish.Limit);
        return ReadList(rows, wish, found) ?? LastOf(LastFinishedSql, wish, TaskPage.LookedAt);
    }

    // As above, but that the errors, which lie beside the rows, are counted as well: those of what failed or was cancelled, of which
    // alone there are any. language=sqlite
    private const string ListErrorsSql = """
        select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
        from   (
            select id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
            from   (
                select   id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished
                from     finished
                where    id < @before
                order by id desc
                limit    @looked)
            where  (1 << state) & @states <> 0 and state in (21, 22)
            and    queue = coalesce(@queue, queue) and name = coalesce(@name, name)
            limit  @errors) as page
        where  instr((select error from finished as one where one.id = page.id), @error) > 0
        limit  @limit
        """;

    // language=sqlite
    private const string LastErrorSql = """
        select id
        from   (select id, state, queue, name from finished where id < @before order by id desc limit @looked)
        where  (1 << state) & @states <> 0 and state in (21, 22)
        and    queue = coalesce(@queue, queue) and name = coalesce(@name, name)
        limit  1 offset @errors
        """;

    /// <inheritdoc cref="ListLive"/>
    private long ListErrors(ListWish wish, string text, List<TaskSummary> found)
    {
        if (!wish.AsksAny(TaskState.Failed, TaskState.Cancelled))
        {
            return 0;
        }

        var rows = Database.Statement(ListErrorsSql).With(wish.Before).With(TaskPage.LookedAt).With(wish.States).With(wish.Queue)
            .With(wish.Name).With(ErrorsLookedAt).With(text).With(wish.Limit);
        return ReadList(rows, wish, found)
            ?? Database.Statement(LastErrorSql).With(wish.Before).With(TaskPage.LookedAt).With(wish.States).With(wish.Queue)
                .With(wish.Name).With(ErrorsLookedAt - 1).Scalar()
            ?? LastOf(LastFinishedSql, wish, TaskPage.LookedAt);
    }

    /// <returns>The id of the last, when there are as many as were asked for; else null.</returns>
    private long? ReadList(SqliteStatement rows, ListWish wish, List<TaskSummary> found)
    {
        var count = 0;
        while (rows.Step())
        {
            found.Add(new TaskSummary
            {
                Id = new TaskId(rows.Int64(0)),
                State = (TaskState)rows.Int32(1),
                Queue = _names.TextOf(Database, rows.Int64(2)),
                Name = _names.TextOf(Database, rows.Int64(3)),
                Priority = rows.Int32(4),
                Attempt = rows.Int32(5),
                EnqueuedAt = TimeOf(rows.Int64(7)),
                DueAt = TimeOf(rows.Int64(8)),
                StartedAt = rows.Int64(6) > 0 ? TimeOf(rows.Int64(9)) : null, // Before the first start that of the enqueue stands there.
                FinishedAt = rows.IsNull(10) ? null : TimeOf(rows.Int64(10)),
            });
            count++;
        }

        return count == wish.Limit ? found[^1].Id.Value : null;
    }

    private long LastOf(string sql, ListWish wish, int looked) =>
        Database.Statement(sql).With(wish.Before).With(looked - 1).Scalar() ?? 0;

    private static DateTimeOffset TimeOf(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    /// <summary>A filter as the statements take it.</summary>
    private sealed record ListWish(TaskFilter Filter, long? Queue, long? Name, int Limit, long Before)
    {
        /// <summary>A bit for each state that is asked for.</summary>
        internal long States { get; } = Enum.GetValues<TaskState>().Where(Filter.Asks).Sum(state => 1L << (int)state);

        internal bool AsksAny(params ReadOnlySpan<TaskState> states)
        {
            foreach (var state in states)
            {
                if (Filter.Asks(state))
                {
                    return true;
                }
            }

            return false;
        }
    }

    private sealed class ListOperation(SqliteBackend backend, TaskFilter filter, int limit, long before) : Operation<TaskPage>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(() => backend.List(filter, limit, before));
    }
}
