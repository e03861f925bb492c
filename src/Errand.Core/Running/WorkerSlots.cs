namespace Errand.Running;

/// <summary>
/// How many tasks a worker may take. A slot is free again when its handler has returned, so that the next task is reserved in the
/// turn that stores the outcome of the last. Where the outcome cannot be stored the slot is taken back until it can: a store that
/// is in trouble does not pile outcomes up.
/// </summary>
/// <remarks>
/// While a task runs that was lost before, no slot is free: if it is the one that ends its process, it takes nothing new with it.
/// </remarks>
internal sealed class WorkerSlots(int concurrency)
{
    private readonly Lock _lock = new();
    private readonly HashSet<TaskLease> _alone = []; // Under the lock: running tasks that were lost before.
    private volatile bool _isAlone; // Written under the lock.
    private int _occupied; // Slots that are not free.
    private int _unsettled; // Tasks that were started and whose outcome is not stored.
    private int _hasNotedWait;
    private TaskCompletionSource? _emptied;

    /// <summary>How many tasks may be started at this moment.</summary>
    internal int Free => _isAlone ? 0 : concurrency - Volatile.Read(ref _occupied);

    internal void Take(IReadOnlyList<ReservedTask> tasks)
    {
        lock (_lock)
        {
            Interlocked.Add(ref _occupied, tasks.Count);
            _unsettled += tasks.Count;
            foreach (var task in tasks)
            {
                if (task.WasLost)
                {
                    _alone.Add(task.Lease);
                    _isAlone = true;
                }
            }
        }
    }

    /// <summary>
    /// A task that was lost before has ended; or its handler waits for another task, which may need a slot here.
    /// </summary>
    internal void LeaveAlone(TaskLease lease)
    {
        if (_isAlone)
        {
            lock (_lock)
            {
                _alone.Remove(lease);
                _isAlone = _alone.Count > 0;
            }
        }
    }

    /// <summary>A handler waits for another task while no slot is free.</summary>
    /// <returns>True the first time.</returns>
    internal bool NoteWait() => Interlocked.Exchange(ref _hasNotedWait, 1) == 0;

    internal void HandlerReturned() => Interlocked.Decrement(ref _occupied);

    /// <summary>The outcome could not be stored. Ends with <see cref="HandlerReturned"/>, as if the handler still ran.</summary>
    internal void TakeBack() => Interlocked.Increment(ref _occupied);

    internal void Settled()
    {
        lock (_lock)
        {
            if (--_unsettled == 0)
            {
                _emptied?.SetResult();
                _emptied = null;
            }
        }
    }

    /// <summary>Waits until no handler runs and every outcome is stored.</summary>
    internal Task WhenEmptyAsync()
    {
        lock (_lock)
        {
            if (_unsettled == 0)
            {
                return Task.CompletedTask;
            }

            _emptied ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _emptied.Task;
        }
    }
}
