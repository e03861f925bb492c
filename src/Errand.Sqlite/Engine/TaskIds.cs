namespace Errand.Sqlite.Engine;

/// <summary>
/// Task ids: 64-bit, below 2^53, handed out from blocks that this process takes from a counter in the database, and never
/// rowids (SQLite uses the largest again after a delete). Writer thread only.
/// </summary>
internal sealed class TaskIds
{
    /// <summary>Ids that a process takes at a time; what it has not used when it ends is skipped for ever.</summary>
    internal const int BlockSize = 16_384;

    private long _next;
    private long _end;

    // language=sqlite
    private const string TakeBlockSql = "update counters set next_id = next_id + @count returning next_id";

    // language=sqlite
    private const string CounterSql = "select next_id from counters";

    internal bool Has(int count) => _end - _next >= count;

    internal long Take() => _next++;

    /// <summary>Takes a block of at least <paramref name="count"/>; its commit must be synced, or ids could be given twice.</summary>
    internal void TakeBlock(SqliteDatabase database, int count)
    {
        var size = Math.Max(count, BlockSize);
        _end = database.Statement(TakeBlockSql).With(size).Scalar().GetValueOrDefault();
        _next = _end - size;
    }

    /// <summary>The block was not committed: it may be another's.</summary>
    internal void ForgetBlock() => _end = _next;

    /// <summary>Whether an id has been handed out by any process.</summary>
    internal static bool WasGiven(SqliteDatabase database, long id) =>
        id < database.Statement(CounterSql).Scalar().GetValueOrDefault();
}
