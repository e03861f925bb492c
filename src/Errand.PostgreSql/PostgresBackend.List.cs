using System.Text;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>List: pages of tasks, newest first, over both tables; of each row only what a list shows is read.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>Errors that one page looks into at most: they may have 16 KiB each, and lie beside the row.</summary>
    private const int ErrorsLookedAt = TaskPage.LookedAt / 10;

    private static readonly TaskState[] LiveStates = [TaskState.Pending, TaskState.Scheduled, TaskState.Running];

    private static readonly TaskState[] FinalStates = [TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired];

    /// <inheritdoc/>
    public async ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default)
    {
        if (limit is < 1 or > TaskPage.MaxTasks)
        {
            throw new ArgumentOutOfRangeException(
                nameof(limit), limit, $"A page has 1 to {TaskPage.MaxTasks:N0} tasks; take the next one with its {nameof(TaskPage.Next)}.");
        }

        filter = (filter ?? new TaskFilter()).Validated();
        return await LookAsync(look => ListAsync(look, filter, limit, before?.Value ?? long.MaxValue), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Looks at both tables down to the same id, however little each has given by then: what is below it is the next page's.
    /// </summary>
    private static async Task<TaskPage> ListAsync(Look look, TaskFilter filter, int limit, long before)
    {
        if (await FindNamesAsync(look, filter).ConfigureAwait(false) is not { } names)
        {
            return new TaskPage { Tasks = [], Next = null }; // No task has ever had it.
        }

        var wish = new ListWish(filter, names.Queue, names.Name, limit + 1, before); // One more tells whether there are more.
        List<TaskSummary> found = [];
        var lookedDownTo = Math.Max(
            await ListLiveAsync(look, wish, found).ConfigureAwait(false), await ListFinishedAsync(look, wish, found).ConfigureAwait(false));
        var tasks = found.Where(task => task.Id.Value >= lookedDownTo).OrderByDescending(task => task.Id).Take(limit + 1).ToList();
        if (tasks.Count > limit)
        {
            tasks.RemoveAt(limit);
            lookedDownTo = tasks[^1].Id.Value;
        }

        return new TaskPage { Tasks = tasks, Next = lookedDownTo > 0 ? new TaskId(lookedDownTo) : null };
    }

    // language=postgresql
    private const string FindNamesSql = """
        select (select id from errand.names where text = @queue), (select id from errand.names where text = @name)
        """;

    /// <returns>The numbers of a filter's names, null for one that it does not ask for; null when it asks for one that has none.</returns>
    private static async Task<(int? Queue, int? Name)?> FindNamesAsync(Look look, TaskFilter filter)
    {
        (int? Queue, int? Name) names = default;
        await look.RunAsync(batch => batch
            .Add(FindNamesSql, row => names = (row.IsDBNull(0) ? null : row.GetInt32(0), row.IsDBNull(1) ? null : row.GetInt32(1)))
            .With("queue", filter.Queue ?? "").With("name", filter.Name ?? "")).ConfigureAwait(false);
        var isUnknown = (filter.Queue is not null && names.Queue is null) || (filter.Name is not null && names.Name is null);
        return isUnknown ? null : names;
    }

    // The limit of the inner select keeps filters out of it, so that it counts what is looked at. language=postgresql
    private const string ListLiveSql = """
        select page.id, page.state, q.text, n.text, ~page.rank, page.attempt, page.epoch, page.enqueued, page.due, page.started,
               null::bigint
        from   (
            select   id, state, queue, name, rank, attempt, epoch, enqueued, due, started
            from     errand.tasks
            where    id < @before
            order by id desc
            limit    @looked) as page
        join   errand.names q on q.id = page.queue
        join   errand.names n on n.id = page.name
        where  page.state = any(@states) and page.queue = coalesce(@queue, page.queue) and page.name = coalesce(@name, page.name)
        order by page.id desc
        limit  @limit
        """;

    // language=postgresql
    private const string LastLiveSql = "select id from errand.tasks where id < @before order by id desc limit 1 offset @looked";

    /// <returns>The id that it has looked down to; 0 when it has seen all.</returns>
    private static async Task<long> ListLiveAsync(Look look, ListWish wish, List<TaskSummary> found)
    {
        // A task that lives has no error that it ended with.
        if (wish.Filter.ErrorContains is not null || !LiveStates.Any(wish.Filter.Asks))
        {
            return 0;
        }

        return await ReadListAsync(look, wish, found, ListLiveSql, LastLiveSql, TaskPage.LookedAt).ConfigureAwait(false);
    }

    // As above. The errors lie beside the row, and are read only where one is asked for. language=postgresql
    private const string ListFinishedSql = """
        select page.id, page.state, q.text, n.text, ~page.rank, page.attempt, page.epoch, page.enqueued, page.due, page.started,
               page.finished
        from   (
            select   id, state, queue, name, rank, attempt, epoch, enqueued, due, started, finished
            from     errand.finished
            where    id < @before
            order by id desc
            limit    @looked) as page
        join   errand.names q on q.id = page.queue
        join   errand.names n on n.id = page.name
        where  page.state = any(@states) and page.queue = coalesce(@queue, page.queue) and page.name = coalesce(@name, page.name)
        and    (@error = ''::bytea or (select position(@error in f.error) from errand.finished f where f.id = page.id) > 0)
        order by page.id desc
        limit  @limit
        """;

    // language=postgresql
    private const string LastFinishedSql = "select id from errand.finished where id < @before order by id desc limit 1 offset @looked";

    /// <inheritdoc cref="ListLiveAsync"/>
    private static async Task<long> ListFinishedAsync(Look look, ListWish wish, List<TaskSummary> found)
    {
        if (!FinalStates.Any(wish.Filter.Asks))
        {
            return 0;
        }

        var looked = wish.Filter.ErrorContains is null ? TaskPage.LookedAt : ErrorsLookedAt;
        return await ReadListAsync(look, wish, found, ListFinishedSql, LastFinishedSql, looked).ConfigureAwait(false);
    }

    private static async Task<long> ReadListAsync(
        Look look, ListWish wish, List<TaskSummary> found, string listSql, string lastSql, int looked)
    {
        var count = 0;
        var last = 0L;
        await look.RunAsync(batch =>
        {
            batch.Add(listSql, row =>
            {
                found.Add(ReadSummary(row));
                count++;
            })
            .With("before", wish.Before).With("looked", looked).With("states", wish.States).With("queue", (long?)wish.Queue)
            .With("name", (long?)wish.Name).With("limit", wish.Limit);
            if (listSql == ListFinishedSql)
            {
                batch.With("error", wish.Error);
            }

            batch.Add(lastSql, row => last = row.GetInt64(0)).With("before", wish.Before).With("looked", looked - 1);
        }).ConfigureAwait(false);
        return count == wish.Limit ? found[^1].Id.Value : last;
    }

    private static TaskSummary ReadSummary(NpgsqlDataReader row) => new()
    {
        Id = new TaskId(row.GetInt64(0)),
        State = (TaskState)row.GetInt16(1),
        Queue = row.GetString(2),
        Name = row.GetString(3),
        Priority = row.GetInt32(4),
        Attempt = row.GetInt32(5),
        EnqueuedAt = TimeOf(row.GetInt64(7)),
        DueAt = TimeOf(row.GetInt64(8)),
        StartedAt = row.GetInt64(6) > 0 ? TimeOf(row.GetInt64(9)) : null, // Before the first start that of the enqueue stands there.
        FinishedAt = row.IsDBNull(10) ? null : TimeOf(row.GetInt64(10)),
    };

    private static DateTimeOffset TimeOf(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    /// <summary>A filter as the statements take it.</summary>
    private sealed record ListWish(TaskFilter Filter, int? Queue, int? Name, int Limit, long Before)
    {
        internal short[] States { get; } = [.. Enum.GetValues<TaskState>().Where(Filter.Asks).Select(state => (short)state)];

        /// <summary>What is looked for in errors; empty for nothing.</summary>
        internal byte[] Error { get; } = Encoding.UTF8.GetBytes(Filter.ErrorContains ?? "");
    }
}
