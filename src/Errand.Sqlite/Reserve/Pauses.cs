namespace Errand.Sqlite.Reserve;

/// <summary>Which queues are paused.</summary>
internal sealed class Pauses : Part<Turn>
{
    private readonly HashSet<long> _paused = []; // As of this transaction; read again when somebody else has written.
    private bool _areKnown;

    internal override Moments Hears => Moments.Doubted | Moments.Began;

    internal Operation<Turn, bool> Pause(string queue) => new PauseOperation(this, queue, PauseSql);

    internal Operation<Turn, bool> Resume(string queue) => new PauseOperation(this, queue, ResumeSql);

    internal bool IsPaused(long queue) => _paused.Count > 0 && _paused.Contains(queue);

    internal override void Doubted(Doubt why) => _areKnown &= why == Doubt.Polled;

    internal override void Began(Turn turn)
    {
        if (!_areKnown)
        {
            Read(turn);
        }
    }

    // language=sqlite
    private const string PauseSql = "insert or ignore into errand_paused_queues (queue) values (@queue)";

    // language=sqlite
    private const string ResumeSql = "delete from errand_paused_queues where queue = @queue";

    // language=sqlite
    private const string SelectPausedSql = "select queue from errand_paused_queues";

    private void Read(Turn turn)
    {
        _paused.Clear();
        var rows = turn.Statement(SelectPausedSql);
        while (rows.Step())
        {
            _paused.Add(rows.Int64(0));
        }

        _areKnown = true;
    }

    /// <summary>The paused queues of a snapshot, by name.</summary>
    internal static string[] PausedQueues(Turn snapshot)
    {
        List<string> queues = [];
        var rows = snapshot.Statement(SelectPausedSql);
        while (rows.Step())
        {
            queues.Add(snapshot.TextOf(rows.Int64(0)));
        }

        queues.Sort(StringComparer.Ordinal);
        return [.. queues];
    }

    internal override IReadOnlyList<string> Tables => ["errand_paused_queues"];

    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'A paused queue has the name ' || queue || ', which is not there.'
        from   errand_paused_queues
        where  queue not in (select id from errand_names)
        limit  20
        """,
    ];

    private sealed class PauseOperation(Pauses pauses, string queue, string sql) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn)
        {
            Result = turn.Statement(sql).With(turn.IdOf(queue)).Execute() == 1 || Result;
            pauses.Read(turn);
            turn.Effects.Ready();
        }
    }
}
