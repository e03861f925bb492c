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
    private HashSet<long>? _taken; // Ids of the block that tasks have although nobody was given them; null for none.

    // language=sqlite
    private const string TakeBlockSql = "update errand_counters set next_id = next_id + @count returning next_id";

    // language=sqlite
    private const string CounterSql = "select next_id from errand_counters";

    // language=sqlite
    private const string SelectTakenSql = """
        select id from errand_tasks where id >= @first and id < @end
        union all
        select id from errand_finished where id >= @first and id < @end
        """;

    /// <summary>What processes may have in hand when the counter is gone.</summary>
    private const long RestoredAbove = 1_000_000_000;

    // Somebody has emptied the table, perhaps all tables between two tests. language=sqlite
    private const string RestoreCounterSql = """
        insert into errand_counters (next_id, syncs)
        select @above + max(coalesce((select max(id) from errand_tasks), 0), coalesce((select max(id) from errand_finished), 0)), 0
        """;

    internal bool Has(int count) => _end - _next - (_taken?.Count ?? 0) >= count;

    internal long Take()
    {
        while (_taken?.Remove(_next) == true)
        {
            _next++;
        }

        return _next < _end ? _next++ : throw new InvalidOperationException("The block of task ids is used up.");
    }

    /// <summary>
    /// Finds ids of the block that are not free: a caller can name an id of a block before its process gives it out.
    /// Others do so only by writing.
    /// </summary>
    internal void AvoidTaken(SqliteDatabase database)
    {
        if (_next == _end)
        {
            return;
        }

        var rows = database.Statement(SelectTakenSql).With(_next).With(_end);
        while (rows.Step())
        {
            (_taken ??= []).Add(rows.Int64(0));
        }
    }

    /// <summary>A caller names an id: if it is of this block, nobody else is given it.</summary>
    internal void Avoid(long id)
    {
        if (id >= _next && id < _end)
        {
            (_taken ??= []).Add(id);
        }
    }

    /// <summary>
    /// Takes a block of ids from the counter. They may be used when that is committed, and synced: before, they could
    /// be given twice.
    /// </summary>
    /// <returns>The first of them.</returns>
    /// <exception cref="BackendException">There are no more.</exception>
    internal static long TakeBlock(SqliteDatabase database, int size)
    {
        var end = database.Statement(TakeBlockSql).With(size).Scalar();
        if (end is null)
        {
            database.Statement(RestoreCounterSql).With(RestoredAbove).Execute();
            end = database.Statement(TakeBlockSql).With(size).Scalar();
        }

        return end <= EnqueueOptions.MaxId ? end.Value - size : throw new BackendException("Every task id below 2^53 has been given out.");
    }

    /// <summary>Continues with a block that was taken; what was left of the last is skipped forever.</summary>
    internal void Use(long first, int size) => (_next, _end, _taken) = (first, first + size, null);

    /// <summary>Whether an id has been handed out by any process.</summary>
    internal static bool WasGiven(SqliteDatabase database, long id) =>
        id > 0 && id < database.Statement(CounterSql).Scalar().GetValueOrDefault();
}
