namespace Errand.Sqlite;

/// <summary>Expiry: a task that has not started by its time ends instead, at that time, whether a worker asks for it or not.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>Expired tasks that are ended in one turn at most.</summary>
    private const int ExpiryBatch = 500;

    private long _nextExpiry; // The earliest expiry of a task that waits; 0 when not known, long.MaxValue for none.

    // language=sqlite
    private const string SelectExpiredSql =
        "select id from tasks where expires <= @now and expires is not null and state <> 12 order by expires limit @count";

    // language=sqlite
    private const string NextExpirySql = "select expires from tasks where expires is not null and state <> 12 order by expires limit 1";

    private void Expire()
    {
        List<long> expired = [];
        var rows = Database.Statement(SelectExpiredSql).With(_now).With(ExpiryBatch);
        while (rows.Step())
        {
            expired.Add(rows.Int64(0));
        }

        expired.ForEach(Expire);
        LookForExpiry();
    }

    private void LookForExpiry() => _nextExpiry = Database.Statement(NextExpirySql).Scalar() ?? long.MaxValue;

    // language=sqlite
    private const string ArchiveExpiredSql = """
        insert into finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished)
        select id, 23, queue, name, priority, attempt, epoch, enqueued, due, started, @now
        from   tasks
        where  id = @id and state <> 12
        """;

    private void Expire(long id)
    {
        if (Database.Statement(ArchiveExpiredSql).With(_now).With(id).Execute() == 1)
        {
            End(id);
        }
    }
}
