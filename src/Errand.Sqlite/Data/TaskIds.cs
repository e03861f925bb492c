namespace Errand.Sqlite.Data;

/// <summary>
/// Task ids: 64-bit, below 2^53, handed out from blocks that this process takes from a counter in the database, and
/// never rowids (SQLite uses the largest again after a delete). Writer thread only.
/// </summary>
internal sealed class TaskIds
{
    /// <summary>Ids that a process takes at a time; what it has not used when it ends is skipped forever.</summary>
    internal const int BlockSize = 16_384;

    private long _next;
    private long _end;

    // language=sqlite
    private const string TakeBlockSql = "update errand_counters set next_id = next_id + @count returning next_id";

    // language=sqlite
    private const string CounterSql = "select next_id from errand_counters";

    internal bool Has(int count) => _end - _next >= count;

    internal long Take() => _next++;

    /// <summary>
    /// Takes a block of ids from the counter. They may be used when that is committed, and synced: before, they could
    /// be given twice.
    /// </summary>
    /// <returns>The first of them.</returns>
    internal static long TakeBlock(SqliteDatabase database, int size) =>
        database.Statement(TakeBlockSql).With(size).Scalar().GetValueOrDefault() - size;

    /// <summary>Continues with a block that was taken; what was left of the last is skipped forever.</summary>
    internal void Use(long first, int size) => (_next, _end) = (first, first + size);

    /// <summary>Whether an id has been handed out by any process.</summary>
    internal static bool WasGiven(SqliteDatabase database, long id) =>
        id > 0 && id < database.Statement(CounterSql).Scalar().GetValueOrDefault();
}
