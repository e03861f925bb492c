using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Expiry: a task that has not started by its time ends instead, at that time, whether a worker asks for it or not.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>Expired tasks that are ended in one turn at most.</summary>
    private const int ExpiryBatch = 500;

    private long _nextExpiry; // The earliest expiry of a task that waits, by the server's clock; 0 when not known.

    private void NoteExpiring(NewTask task) =>
        _nextExpiry = Math.Min(_nextExpiry, task.ExpiresAt?.ToUnixTimeMilliseconds() ?? long.MaxValue);

    // language=postgresql
    private const string ExpireSql = """
        with settled as (
            delete from errand.tasks
            where  id = any(array(
                select id
                from   errand.tasks
                where  expires <= errand.now_ms(@now) and expires is not null and state <> 12
                order by expires
                limit  @count
                for update skip locked))
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 23
        from   settled
        returning id
        """;

    // language=postgresql
    private const string NextExpirySql = """
        select errand.now_ms(@now), (select min(expires) from errand.tasks where expires is not null and state <> 12)
        """;

    private void Expire(TurnBatch batch)
    {
        _nextExpiry = long.MaxValue; // What this turn enqueues is noted from here on.
        batch
            .Add(ExpireSql, row => NoteEnded(row.GetInt64(0))).With("now", TestNow).With("count", ExpiryBatch)
            .Add(NextExpirySql, row =>
            {
                NoteServerTime(row.GetInt64(0));
                _nextExpiry = row.IsDBNull(1) ? _nextExpiry : Math.Min(_nextExpiry, row.GetInt64(1));
            })
            .With("now", TestNow);
    }
}
