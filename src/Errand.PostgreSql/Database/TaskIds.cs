namespace Errand.PostgreSql.Database;

/// <summary>
/// Task ids: 64-bit, below 2^53, handed out from blocks that this process takes from a sequence. Filled by the turn loop, used by
/// any.
/// </summary>
internal sealed class TaskIds
{
    /// <summary>Ids in one step of the sequence; it stands in the schema as well.</summary>
    internal const int BlockSize = 1_000;

    /// <summary>Blocks taken at a time; what a process has not used when it ends is skipped for ever.</summary>
    internal const int BlocksAtATime = 8;

    private readonly Lock _lock = new();
    private readonly Queue<(long Next, long End)> _blocks = new();
    private long _count;

    /// <summary>Takes that many, ascending; null when there are not enough.</summary>
    internal long[]? TryTake(int count)
    {
        lock (_lock)
        {
            if (_count < count)
            {
                return null;
            }

            var ids = new long[count];
            for (var i = 0; i < count;)
            {
                var (next, end) = _blocks.Dequeue();
                while (next < end && i < count)
                {
                    ids[i++] = next++;
                }

                if (next < end)
                {
                    PutFirst(next, end);
                }
            }

            _count -= count;
            return ids;
        }
    }

    /// <summary>Adds a block that was taken and committed.</summary>
    internal void Add(long first)
    {
        lock (_lock)
        {
            _blocks.Enqueue((first, first + BlockSize));
            _count += BlockSize;
        }
    }

    /// <summary>Another database may be there now.</summary>
    internal void Forget()
    {
        lock (_lock)
        {
            _blocks.Clear();
            _count = 0;
        }
    }

    private void PutFirst(long next, long end)
    {
        _blocks.Enqueue((next, end));
        for (var i = 1; i < _blocks.Count; i++)
        {
            _blocks.Enqueue(_blocks.Dequeue());
        }
    }
}
