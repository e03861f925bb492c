using System.Text;
using Npgsql;

namespace Errand.PostgreSql.Inspect;

/// <summary>Pages of tasks, newest first, over both tables; of each row only what a list shows is read.</summary>
internal static class TaskList
{
    internal static async Task<TaskPage> ListAsync(Snapshot snapshot, TaskFilter filter, int limit, long before)
    {
        if (await FilterNames.FindAsync(snapshot, filter).ConfigureAwait(false) is not { } names)
        {
            return new TaskPage { Tasks = [], Next = null };
        }

        var query = new PageQuery(filter, names.Queue, names.Name, limit + 1, before);
        List<TaskSummary> found = [];
        var live = query.AsksLive ? await ReadLiveAsync(snapshot, query, found).ConfigureAwait(false) : 0;
        var finished = query.AsksFinished ? await ReadFinishedAsync(snapshot, query, found).ConfigureAwait(false) : 0;
        return query.ToPage(found, Math.Max(live, finished));
    }

    // The limit of the inner select keeps filters out of it, so that it counts what is looked at. language=postgresql
    private const string ListLiveSql = """
        select page.id, page.state, q.text, n.text, ~page.rank, page.attempt, page.epoch, page.enqueued, page.due,
               page.started,
               null::bigint
        from   (
            select   id, state, queue, name, rank, attempt, epoch, enqueued, due, started
            from     errand.errand_tasks
            where    id < @before
            order by id desc
            limit    @looked) as page
        join   errand.errand_names q on q.id = page.queue
        join   errand.errand_names n on n.id = page.name
        where  page.state = any(@states) and page.queue = coalesce(@queue, page.queue)
        and    page.name = coalesce(@name, page.name)
        order by page.id desc
        limit  @limit
        """;

    // language=postgresql
    private const string LastLiveSql =
        "select id from errand.errand_tasks where id < @before order by id desc limit 1 offset @looked";

    /// <returns>The id that it has looked down to; 0 when it has seen all.</returns>
    private static async Task<long> ReadLiveAsync(Snapshot snapshot, PageQuery query, List<TaskSummary> found)
    {
        var page = new ListedPage(query, found);
        await snapshot.RunAsync(batch =>
        {
            WithQuery(batch.Add(ListLiveSql, page.Read), query, TaskPage.LookedAt);
            batch.Add(LastLiveSql, page.ReadLast).With("before", query.Before).With("looked", TaskPage.LookedAt - 1);
        }).ConfigureAwait(false);
        return page.LookedDownTo;
    }

    // As above. The errors lie beside the row, and are read only where one is asked for. language=postgresql
    private const string ListFinishedSql = """
        select page.id, page.state, q.text, n.text, ~page.rank, page.attempt, page.epoch, page.enqueued, page.due,
               page.started, page.finished
        from   (
            select   id, state, queue, name, rank, attempt, epoch, enqueued, due, started, finished
            from     errand.errand_finished
            where    id < @before
            order by id desc
            limit    @looked) as page
        join   errand.errand_names q on q.id = page.queue
        join   errand.errand_names n on n.id = page.name
        where  page.state = any(@states) and page.queue = coalesce(@queue, page.queue)
        and    page.name = coalesce(@name, page.name)
        and    (@error = ''::bytea
                or (select position(@error in f.error) from errand.errand_finished f where f.id = page.id) > 0)
        order by page.id desc
        limit  @limit
        """;

    // language=postgresql
    private const string LastFinishedSql =
        "select id from errand.errand_finished where id < @before order by id desc limit 1 offset @looked";

    /// <inheritdoc cref="ReadLiveAsync"/>
    private static async Task<long> ReadFinishedAsync(Snapshot snapshot, PageQuery query, List<TaskSummary> found)
    {
        var page = new ListedPage(query, found);
        var looked = query.Filter.ErrorContains is null ? TaskPage.LookedAt : PageQuery.ErrorsLookedAt;
        await snapshot.RunAsync(batch =>
        {
            WithQuery(batch.Add(ListFinishedSql, page.Read), query, looked)
                .With("error", Encoding.UTF8.GetBytes(query.Filter.ErrorContains ?? ""));
            batch.Add(LastFinishedSql, page.ReadLast).With("before", query.Before).With("looked", looked - 1);
        }).ConfigureAwait(false);
        return page.LookedDownTo;
    }

    private static TurnBatch WithQuery(TurnBatch batch, PageQuery query, int looked) => batch
        .With("before", query.Before).With("looked", looked)
        .With("states", Enum.GetValues<TaskState>().Where(query.Filter.Asks).Select(state => (short)state).ToArray())
        .With("queue", query.Queue).With("name", query.Name).With("limit", query.Limit);

    private static TaskSummary ReadSummary(NpgsqlDataReader row) => new()
    {
        Id = new TaskId(row.GetInt64(0)),
        State = (TaskState)row.GetInt16(1),
        Queue = row.GetString(2),
        Name = row.GetString(3),
        Priority = row.GetInt32(4),
        Attempt = row.GetInt32(5),
        EnqueuedAt = Times.Of(row.GetInt64(7)),
        DueAt = Times.Of(row.GetInt64(8)),

        // Before the first start, the column holds the time of the enqueue.
        StartedAt = row.GetInt64(6) > 0 ? Times.Of(row.GetInt64(9)) : null,
        FinishedAt = row.IsDBNull(10) ? null : Times.Of(row.GetInt64(10)),
    };

    /// <summary>What one table gives to a page.</summary>
    private sealed class ListedPage(PageQuery query, List<TaskSummary> found)
    {
        private int _count;
        private long _last; // The last row that was looked at, when there were as many as are looked at.

        internal long LookedDownTo => _count == query.Limit ? found[^1].Id.Value : _last;

        internal void Read(NpgsqlDataReader row)
        {
            found.Add(ReadSummary(row));
            _count++;
        }

        internal void ReadLast(NpgsqlDataReader row) => _last = row.GetInt64(0);
    }
}
