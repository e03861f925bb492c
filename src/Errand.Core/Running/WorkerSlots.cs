namespace Errand.Running;

/// <summary>
/// How many tasks a worker may take. A slot is free again when its handler has returned, so that the next task starts while the
/// outcome of the last is still being written; at most as many outcomes may be under way as there are slots, so that a store
/// that cannot be written to does not pile them up.
/// </summary>
internal sealed class WorkerSlots(int concurrency)
{
    private readonly Lock _lock = new();
    private int _running;
    private int _settling;
    private TaskCompletionSource? _freed;
    private TaskCompletionSource? _emptied;

    /// <summary>Waits until at least one task may be taken.</summary>
    /// <returns>How many.</returns>
    internal async ValueTask<int> WaitForFreeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task freed;
            lock (_lock)
            {
                var free = concurrency - Math.Max(_running, _running + _settling - concurrency);
                if (free > 0)
                {
                    return free;
                }

                _freed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                freed = _freed.Task;
            }

            await freed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until no handler runs and no outcome is under way.</summary>
    internal Task WhenEmptyAsync()
    {
        lock (_lock)
        {
            if (_running + _settling == 0)
            {
                return Task.CompletedTask;
            }

            _emptied ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _emptied.Task;
        }
    }

    internal void Take(int tasks)
    {
        lock (_lock)
        {
            _running += tasks;
        }
    }

    internal void HandlerReturned()
    {
        lock (_lock)
        {
            _running--;
            _settling++;
            SignalFreed();
        }
    }

    internal void Settled()
    {
        lock (_lock)
        {
            _settling--;
            SignalFreed();
            if (_running + _settling == 0)
            {
                _emptied?.SetResult();
                _emptied = null;
            }
        }
    }

    private void SignalFreed()
    {
        _freed?.SetResult();
        _freed = null;
    }
}
