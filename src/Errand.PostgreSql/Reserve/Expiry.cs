namespace Errand.PostgreSql.Reserve;

/// <summary>
/// A task that has not started by its expiry ends instead, at that time, whether a worker asks for it or not.
/// </summary>
internal sealed class Expiry(StoreClock clock) : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>Expired tasks that are ended in one turn at most.</summary>
    private const int ExpiryBatch = 500;

    private long _next; // The earliest expiry of a task that waits, by the server's clock.

    internal override Moments Hears =>
        Moments.Doubted | Moments.Plan | Moments.Upkeep | Moments.Inserted | Moments.Committed;

    internal override void Doubted(Doubt why) => _next = Unknown;

    internal override void Plan(Agenda agenda)
    {
        if (_next != long.MaxValue)
        {
            agenda.In(TimeSpan.FromMilliseconds(Math.Max(1, _next - clock.Now)));
        }
    }

    internal override void Inserted(Turn turn, NewTask task, long id, TaskState state, long due)
    {
        if (task.ExpiresAt is { } expires)
        {
            turn.Effects.Expect(this, expires.ToUnixTimeMilliseconds());
        }
    }

    /// <summary>Tasks wait again that may have an expiry.</summary>
    internal void LookAgain(Turn turn) => turn.Effects.Expect(this, Unknown);

    internal override void Committed(Effects effects) => _next = Math.Min(_next, effects.ExpectedBy(this));

    internal override Action<Turn>? Upkeep(Turn reader, long now) => _next <= now ? Expire : null;

    // language=postgresql
    internal const string ExpireSql = $"""
        with settled as (
            {Turn.DeleteTasks}
            where  id = any(array(
                select id
                from   errand.errand_tasks
                where  expires <= (select errand.errand_now_ms(@now)) and expires is not null and state <> 12
                order by expires
                limit  @count
                for update skip locked))
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name, 23
        from   settled
        returning id
        """;

    // language=postgresql
    internal const string NextExpirySql = """
        select errand.errand_now_ms(@now),
               (select min(expires) from errand.errand_tasks where expires is not null and state <> 12)
        """;

    private void Expire(Turn turn)
    {
        turn.End(ExpireSql, static _ => { }).With("now", clock.TestNow).With("count", ExpiryBatch);
        var next = long.MaxValue;
        turn.Add(NextExpirySql, row =>
        {
            clock.Hear(row.GetInt64(0));
            next = row.IsDBNull(1) ? long.MaxValue : row.GetInt64(1);
        }).With("now", clock.TestNow);
        turn.Effects.AfterCommit(() => _next = next);
    }
}
