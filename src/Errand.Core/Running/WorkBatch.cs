namespace Errand.Running;

/// <summary>
/// Work items that the thread pool sees as one. Each thread takes the next item and, while items are left, asks the pool for one more
/// thread. A batch therefore costs one pool item per thread instead of one per work item, and an item that blocks delays no other.
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
