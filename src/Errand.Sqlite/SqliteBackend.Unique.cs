using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>
/// Unique keys: one index holds while a task lives, and one table for a time after its enqueue. Both are looked at and written in the
/// transaction that enqueues, and nobody else writes meanwhile.
/// </summary>
public sealed partial class SqliteBackend
{
    // language=sqlite
    private const string FindHolderSql = """
        select id from tasks where name = @name and unique_key = @key and unique_key is not null
        union all
        select id from unique_periods where name = @name and key = @key and until > @now
        limit  1
        """;

    /// <summary>The task that holds a unique key; null when it is free.</summary>
    private static long? HolderOf(SqliteDatabase database, long name, string key, long now) =>
        database.Statement(FindHolderSql).With(name).With(key).With(now).Scalar();

    // language=sqlite
    private const string HoldSql =
        "insert or replace into unique_periods (name, key, id, until) values (@name, @key, @id, @until)";

    private static void HoldFor(SqliteDatabase database, TimeSpan period, long name, string key, long id, long now) =>
        database.Statement(HoldSql).With(name).With(key).With(id).With(now + (long)Math.Ceiling(period.TotalMilliseconds)).Execute();

    // language=sqlite
    private const string PrunePeriodsSql = """
        delete from unique_periods
        where  (name, key) in (select name, key from unique_periods where until <= @now order by until limit @count)
        """;
}
