namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Queues that are paused. What is remembered is as of the last sweep; the statement that reserves looks for itself.
/// </summary>
internal sealed class Pauses
{
    private readonly HashSet<string> _paused = new(StringComparer.Ordinal);

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
