using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Queues: which are paused, and which have tasks ready for a worker that subscribes by a pattern.</summary>
public sealed partial class PostgresBackend
{
    private readonly HashSet<string> _paused = new(StringComparer.Ordinal); // As of the last sweep; a reserve looks for itself.

    /// <inheritdoc/>
    public async ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(new PauseOperation(this, queue, PauseSql), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(new PauseOperation(this, queue, ResumeSql), cancellationToken).ConfigureAwait(false);
    }

    // language=postgresql
    private const string PauseSql = "insert into errand.paused_queues (queue) values (@queue) on conflict do nothing returning queue";

    // language=postgresql
    private const string ResumeSql = "delete from errand.paused_queues where queue = @queue returning queue";

    // language=postgresql
    private const string SelectPausedSql = "select n.text from errand.paused_queues p join errand.names n on n.id = p.queue";

    /// <summary>Adds the look; what was known until then is forgotten when it has come.</summary>
    private void ReadPaused(TurnBatch batch)
    {
        List<string> paused = [];
        batch.Add(SelectPausedSql, row => paused.Add(row.GetString(0)));
        _afterCommit.Add(() =>
        {
            _paused.Clear();
            _paused.UnionWith(paused);
        });
    }

    // language=postgresql
    private const string SelectReadyQueuesSql = """
        with recursive queues (queue) as (
            select min(queue) from errand.tasks where state = 10
            union all
            select (select min(t.queue) from errand.tasks t where t.state = 10 and t.queue > queues.queue)
            from   queues
            where  queue is not null
        )
        select n.id, n.text
        from   queues q join errand.names n on n.id = q.queue
        """;

    /// <summary>A worker that subscribes by a pattern learns which queues have tasks ready: a hop in the index for each.</summary>
    private void LookForQueues(TurnBatch batch, ReserveOperation waiting)
    {
        List<string> ready = [];
        batch.Add(SelectReadyQueuesSql, row =>
        {
            _names.Remember(row.GetInt32(0), row.GetString(1));
            ready.Add(row.GetString(1));
        });
        waiting.AfterLook = () => waiting.SetQueues(ready, _turnOfQueue++);
    }

    private sealed class PauseOperation(PostgresBackend backend, string queue, string sql) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override IEnumerable<string> Names => [queue];

        internal override void Run(TurnBatch batch)
        {
            Result = MayBeDone && Result;
            batch.Add(sql, _ => Result = true).With("queue", backend._names.IdOf(queue));
            backend.ReadPaused(batch);
            backend._floorVersion++;
            backend.NoteReady();
        }
    }
}
