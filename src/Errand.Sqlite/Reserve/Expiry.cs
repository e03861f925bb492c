namespace Errand.Sqlite.Reserve;

/// <summary>
/// Expiry: a task that has not started by its time ends instead, at that time, whether a worker asks for it or not.
/// </summary>
internal sealed class Expiry : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>Expired tasks that are ended in one turn at most.</summary>
    private const int ExpiryBatch = 500;

    private long _next = Unknown; // The earliest expiry of a task that waits; long.MaxValue for none.

    internal override Moments Hears =>
        Moments.Doubted | Moments.Plan | Moments.Upkeep | Moments.Committing | Moments.Committed | Moments.Inserted | Moments.WaitsAgain;

    internal override void Doubted(Doubt why) => _next = why == Doubt.Polled ? _next : Unknown;

    internal override void Inserted(Turn turn, NewTask task, long id, TaskState state, long due)
    {
        if (task.ExpiresAt is { } expires)
        {
            turn.Effects.Expect(this, expires.ToUnixTimeMilliseconds());
        }
    }

    /// <summary>It may expire meanwhile; whether it does was not read.</summary>
    internal override void WaitsAgain(Turn turn, long due) => turn.Effects.Expect(this, Unknown);

    internal override void Plan(Agenda agenda) => agenda.At(_next);

    internal override Action<Turn>? Upkeep(Turn reader, long now) => _next <= now ? End : null;

    internal override void Committing(Turn turn)
    {
        if (_next == Unknown || turn.Effects.ExpectedBy(this) == Unknown)
        {
            Look(turn);
        }
    }

    internal override void Committed(Effects effects)
    {
        if (effects.ExpectedBy(this) is var expected and not Unknown)
        {
            _next = Math.Min(_next, expected);
        }
    }

    // language=sqlite
    private const string SelectExpiredSql =
        "select id from errand_tasks where expires <= @now and expires is not null and state <> 12 order by expires limit @count";

    // language=sqlite
    private const string NextExpirySql =
        "select expires from errand_tasks where expires is not null and state <> 12 order by expires limit 1";

    // language=sqlite
    private const string ArchiveExpiredSql = """
        insert into errand_finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished)
        select id, 23, queue, name, priority, attempt, epoch, enqueued, due, started, @now
        from   errand_tasks
        where  id = @id and state <> 12
        """;

    internal static void End(Turn turn, long id) => turn.End(id, turn.Statement(ArchiveExpiredSql).With(turn.Now).With(id));

    private void End(Turn turn)
    {
        List<long> expired = [];
        var rows = turn.Statement(SelectExpiredSql).With(turn.Now).With(ExpiryBatch);
        while (rows.Step())
        {
            expired.Add(rows.Int64(0));
        }

        expired.ForEach(id => End(turn, id));
        Look(turn);
    }

    private void Look(Turn turn) => _next = turn.Statement(NextExpirySql).Scalar() ?? long.MaxValue;
}
