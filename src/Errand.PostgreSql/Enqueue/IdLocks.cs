namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Advisory locks, which whoever enqueues an id or a unique key that others may enqueue as well holds until the commit
/// is seen by all. The next one then finds the task, live or finished, and nobody waits for a row.
/// </summary>
internal sealed class IdLocks(PostgresStore store)
{
    /// <summary>Names the locks of ids in this schema; the database's other advisory locks have other names.</summary>
    internal string IdScope { get; } = store.Channel + ":id:";

    /// <summary>Names the locks of unique keys in this schema.</summary>
    internal string KeyScope { get; } = store.Channel + ":key:";

    // language=postgresql
    private const string LockIdsSql = """
        select pg_advisory_xact_lock(hashtextextended(@scope || id, 0))
        from   (select distinct id from unnest(@ids) as id order by id) as ids
        """;

    /// <summary>Takes the locks, in their order, and waits for whoever holds one.</summary>
    internal static void Lock(Turn turn, string scope, long[] ids)
    {
        if (ids.Length > 0)
        {
            turn.Add(LockIdsSql).With("scope", scope).With("ids", ids);
        }
    }
}
