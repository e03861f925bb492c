namespace Errand.PostgreSql.Data;

/// <summary>
/// Task ids: 64-bit, below 2^53, from blocks that this process takes from a sequence. The writer's alone.
/// </summary>
internal sealed class TaskIds
{
    /// <summary>Ids in one step of the sequence; it stands in the schema as well.</summary>
    internal const int BlockSize = 1_000;

    /// <summary>Blocks taken at a time; ids that a connection has not used when it ends are skipped forever.</summary>
    internal const int BlocksAtATime = 8;

    // A standby that was promoted may not know the last blocks that were given. Steps of the sequence are taken until it
    // has passed every id that this process or a table knows: setting it could set back what another process does just
    // now. language=postgresql
    internal const string SkipSql = """
        select count(nextval('errand.errand_task_ids'))
        from   errand.errand_task_ids s,
               lateral (
                   select greatest(
                       @largest, (select max(id) from errand.errand_tasks), (select max(id) from errand.errand_finished))
                       as id) as known,
               lateral generate_series(
                   1, (known.id - s.last_value + case when s.is_called then 0 else 1000 end) / 1000) as step
        """;

    private readonly Queue<(long Next, long End)> _blocks = new();
    private long _first; // The rest of the block in use: from here
    private long _end; // to before here.
    private long _count;

    /// <summary>The largest id that this process knows to have been given, here or in a session before; 0 for none.</summary>
    internal long Largest { get; private set; }

    /// <summary>An id was given, by whichever process.</summary>
    internal void Saw(long id) => Largest = Math.Max(Largest, id);

    /// <summary>Those that are left are not to be used: another task has one of them.</summary>
    internal void Forget()
    {
        _blocks.Clear();
        _first = _end = _count = 0;
    }

    /// <summary>Takes that many, ascending; null when there are not enough.</summary>
    internal long[]? TryTake(int count)
    {
        if (_count < count)
        {
            return null;
        }

        var ids = new long[count];
        for (var i = 0; i < count; i++)
        {
            if (_first == _end)
            {
                (_first, _end) = _blocks.Dequeue();
            }

            ids[i] = _first++;
        }

        _count -= count;
        return ids;
    }

    /// <summary>Adds a block that was taken and committed.</summary>
    internal void Add(long first)
    {
        Saw(first + BlockSize - 1);
        _blocks.Enqueue((first, first + BlockSize));
        _count += BlockSize;
    }
}
