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

    private readonly Queue<(long Next, long End)> _blocks = new();
    private long _first; // The rest of the block in use: from here
    private long _end; // to before here.
    private long _count;

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
        _blocks.Enqueue((first, first + BlockSize));
        _count += BlockSize;
    }
}
