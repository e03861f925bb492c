namespace Errand.Running;

/// <summary>
/// How many tasks a worker may take. A slot is free again when its handler has returned, so that the next task is reserved in the
/// turn that stores the outcome of the last. Where the outcome cannot be stored the slot is taken back until it can: a store that
/// is in trouble does not pile outcomes up.
/// </summary>
internal sealed class WorkerSlots(int concurrency)
{
    private readonly Lock _lock = new();
    private int _occupied; // Slots that are not free.
    private int _unsettled; // Tasks that were started and whose outcome is not stored.
    private TaskCompletionSource? _emptied;

    /// <summary>How many tasks may be started at this moment.</summary>
    internal int Free => concurrency - Volatile.Read(ref _occupied);

    internal void Take()
    {
        lock (_lock)
        {
            Interlocked.Increment(ref _occupied);
            _unsettled++;
        }
    }

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
