namespace Errand.Running;

/// <summary>
/// Work items that are queued on the thread pool as one. Each thread that comes takes the next item, and sees that one more thread is
/// asked for while items are left: so a batch costs the pool an item a thread instead of an item each, and one that blocks holds up
/// none of the others.
/// </summary>
internal sealed class WorkBatch : IThreadPoolWorkItem
{
    private readonly IReadOnlyList<IThreadPoolWorkItem> _items;
    private int _taken;
    private int _isQueued = 1;

    private WorkBatch(IReadOnlyList<IThreadPoolWorkItem> items) => _items = items;

    /// <summary>Runs the items, which nobody changes any more, in this order, on as many threads as the pool has for them.</summary>
    internal static void Queue(IReadOnlyList<IThreadPoolWorkItem> items)
    {
        if (items.Count > 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(items.Count == 1 ? items[0] : new WorkBatch(items), preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        Volatile.Write(ref _isQueued, 0);
        int place;
        while ((place = Interlocked.Increment(ref _taken) - 1) < _items.Count)
        {
            if (place < _items.Count - 1 && Interlocked.Exchange(ref _isQueued, 1) == 0)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }

            _items[place].Execute();
            if (SynchronizationContext.Current is not null)
            {
                SynchronizationContext.SetSynchronizationContext(null); // As the pool does between its items.
            }
        }
    }
}
