namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Advisory locks, which whoever enqueues an id or a unique key that others may enqueue as well holds until the commit
/// is seen by all. The next one then finds the task, live or finished, and nobody waits for a row.
/// </summary>
/// <remarks>
/// The locks are few, so that no number of ids or keys in one transaction can exhaust the server's table of locks. Two
/// that share a lock wait for each other, and no more.
/// </remarks>
internal sealed class IdLocks(PostgresStore store)
{
    /// <summary>How many locks there are of each kind.</summary>
    internal const int Locks = 2_048;

    /// <summary>Names the locks of ids in this schema; the database's other advisory locks have other names.</summary>
    internal string IdScope { get; } = store.Channel + ":id:";

    /// <summary>Names the locks of unique keys in this schema.</summary>
    internal string KeyScope { get; } = store.Channel + ":key:";

    /// <summary>The lock of an id.</summary>
    internal static long LockOf(long id) => id % Locks;

    // language=postgresql
    private const string LockIdsSql = """
        select pg_advisory_xact_lock(hashtextextended(@scope || id, 0))
        from   (select distinct id from unnest(@locks) as id order by id) as ids
        """;

    /// <summary>Takes the locks of ids in ascending order, and waits while another transaction holds one.</summary>
    internal void LockIds(Turn turn, IEnumerable<long> ids) => Lock(turn, IdScope, [.. ids.Select(LockOf).Distinct()]);

    /// <summary>Takes the locks of unique keys in ascending order, and waits while another transaction holds one.</summary>
    internal void LockKeys(Turn turn, IEnumerable<long> keys) => Lock(turn, KeyScope, [.. keys.Distinct()]);

    private static void Lock(Turn turn, string scope, long[] locks)
    {
        if (locks.Length > 0)
        {
            turn.Add(LockIdsSql).With("scope", scope).With("locks", locks);
        }
    }
}
