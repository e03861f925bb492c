namespace Errand.PostgreSql.Reserve;

/// <summary>Which queues have tasks ready, for a worker that subscribes by a pattern.</summary>
internal sealed class ReadyQueues
{
    private int _turn; // Rises with each look, so that another queue is the first.

    // language=postgresql
    private const string SelectReadyQueuesSql = """
        with recursive queues (queue) as (
            select min(queue) from errand.errand_tasks where state = 10
            union all
            select (select min(t.queue) from errand.errand_tasks t where t.state = 10 and t.queue > queues.queue)
            from   queues
            where  queue is not null
        )
        select n.id, n.text
        from   queues q join errand.errand_names n on n.id = q.queue
        """;

    /// <summary>Asks for the queues with a hop in the index for each; the worker knows them after the commit.</summary>
    internal void Ask(Turn turn, Waiting waiting)
    {
        List<string> ready = [];
        turn.Add(SelectReadyQueuesSql, row =>
        {
            turn.Session.Names.Remember(row.GetInt32(0), row.GetString(1));
            ready.Add(row.GetString(1));
        });
        waiting.AskForQueues(() => waiting.SetQueues(ready, _turn++));
    }
}
