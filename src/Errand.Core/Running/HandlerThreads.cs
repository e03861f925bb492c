using System.Diagnostics.CodeAnalysis;

namespace Errand.Running;

/// <summary>
/// Threads for handlers that block, so that the thread pool is left to the rest of the program. There are never more than tasks that
/// run here; a thread that has found nothing to do for a while ends.
/// </summary>
internal sealed class HandlerThreads
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly Queue<IThreadPoolWorkItem> _waiting = new(); // Also the lock of all that follows.
    private int _idle; // Threads that will look for an item before they end, those that are being started among them.
    private bool _isStarting; // One at a time: a thread that has its item starts the next one, so that the caller starts one at most.

    /// <summary>Has the item run. Calls nothing of the user's.</summary>
    internal void Run(IThreadPoolWorkItem item)
    {
        lock (_waiting)
        {
            _waiting.Enqueue(item);
            Supply();
        }
    }

    /// <summary>Under the lock.</summary>
    private void Supply()
    {
        if (_waiting.Count <= _idle)
        {
            Monitor.Pulse(_waiting);
        }
        else if (!_isStarting)
        {
            try
            {
                new Thread(Work) { IsBackground = true, Name = "errand-handler" }.UnsafeStart();
                _isStarting = true;
                _idle++;
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                ThreadPool.UnsafeQueueUserWorkItem(_waiting.Dequeue(), preferLocal: false); // The system gives no more threads.
            }
        }
    }

    private void Work()
    {
        for (var isNew = true; TryTake(isNew, out var item); isNew = false)
        {
            item.Execute();
            lock (_waiting)
            {
                _idle++;
            }
        }
    }

    private bool TryTake(bool isNew, [NotNullWhen(true)] out IThreadPoolWorkItem? item)
    {
        lock (_waiting)
        {
            _isStarting &= !isNew;
            while (!_waiting.TryDequeue(out item))
            {
                if (!Monitor.Wait(_waiting, Rest) && _waiting.Count == 0)
                {
                    _idle--;
                    return false;
                }
            }

            _idle--;
            if (_waiting.Count > 0)
            {
                Supply();
            }

            return true;
        }
    }
}
