namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Queues: which are paused, and which have tasks ready for a worker that subscribes by a pattern. What is remembered
/// is as of the last sweep; the statement that reserves looks for itself.
/// </summary>
internal sealed class Pauses : Part<Turn>
{
    private readonly HashSet<string> _paused = new(StringComparer.Ordinal);
    private int _turnOfQueue; // Among the queues of one pattern: rises, so that another is the first.

    internal override Moments Hears => Moments.None;

    internal override IReadOnlyList<string> Tables => ["errand_paused_queues"];

    internal bool IsPaused(string queue) => _paused.Contains(queue);

    /// <summary>Pauses a queue: false when it is paused already.</summary>
    internal Operation<Turn, bool> Pause(string queue) => new PauseOperation(this, queue, PauseSql);

    /// <summary>Resumes a queue: false when it is not paused.</summary>
    internal Operation<Turn, bool> Resume(string queue) => new PauseOperation(this, queue, ResumeSql);

    // language=postgresql
    private const string PauseSql =
        "insert into errand.errand_paused_queues (queue) values (@queue) on conflict do nothing returning queue";

    // language=postgresql
    private const string ResumeSql = "delete from errand.errand_paused_queues where queue = @queue returning queue";

    // language=postgresql
    internal const string SelectPausedSql =
        "select n.text from errand.errand_paused_queues p join errand.errand_names n on n.id = p.queue";

    /// <summary>Reads which queues are paused; it is remembered after the commit.</summary>
    internal void Read(Turn turn)
    {
        List<string> paused = [];
        turn.Add(SelectPausedSql, row => paused.Add(row.GetString(0)));
        turn.Effects.AfterCommit(() =>
        {
            _paused.Clear();
            _paused.UnionWith(paused);
        });
    }

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
    internal void AskForReady(Turn turn, Waiting waiting)
    {
        List<string> ready = [];
        turn.Add(SelectReadyQueuesSql, row =>
        {
            turn.Session.Names.Remember(row.GetInt32(0), row.GetString(1));
            ready.Add(row.GetString(1));
        });
        waiting.AskForQueues(() => waiting.SetQueues(ready, _turnOfQueue++));
    }

    private sealed class PauseOperation(Pauses pauses, string queue, string sql) : Operation<Turn, bool>, IUsesNames
    {
        internal override TurnStage Stage => TurnStage.Settle;

        public IEnumerable<string> Names => [queue];

        internal override void Run(Turn turn)
        {
            Result = MayBeDone && Result;
            turn.Add(sql, _ => Result = true).With("queue", turn.IdOf(queue));
            pauses.Read(turn);
            turn.Ready();
        }
    }
}
