namespace Errand.Sqlite.Data;

/// <summary>
/// Ids that are kept ready for callers' transactions: while such a transaction holds the file, none can be taken from
/// the counter. Filled by the writer thread, used by any.
/// </summary>
internal sealed class SpareIds
{
    private readonly Lock _lock = new();
    private long _next;
    private long _end;

    /// <summary>Whether the next transaction may find too few.</summary>
    internal bool AreLow
    {
        get
        {
            lock (_lock)
            {
                return _end - _next < TaskIds.BlockSize / 2;
            }
        }
    }

    internal bool TryTake(int count, out long first)
    {
        lock (_lock)
        {
            first = _next;
            if (_end - _next < count)
            {
                return false;
            }

            _next += count;
            return true;
        }
    }

    /// <summary>Continues with a block that was taken and committed.</summary>
    internal void Use(long first, int size)
    {
        lock (_lock)
        {
            (_next, _end) = (first, first + size);
        }
    }
}
