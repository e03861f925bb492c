using System.Diagnostics.CodeAnalysis;

namespace Errand.Running;

/// <summary>
/// Threads for handlers that block, so that the thread pool is left to the rest of the program. There are never more than tasks that
/// run here, and one on its way; a thread that has found nothing to do for a while ends.
/// </summary>
internal sealed class HandlerThreads
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly Queue<IThreadPoolWorkItem> _waiting = new(); // Also the lock of all that follows.
    private int _asleep; // Threads that wait for an item.

    // A thread was started or woken, and has not come yet. One at a time: it sends for the next one when it comes and more waits. Many
    // short handlers so run on the few threads that are awake, and many that block have each its own within a millisecond or so.
    private bool _isComing;

    /// <summary>Has the item run. Calls nothing of the user's.</summary>
    internal void Run(IThreadPoolWorkItem item)
    {
        lock (_waiting)
        {
            _waiting.Enqueue(item);
            SendForOne();
        }
    }

    /// <summary>Under the lock.</summary>
    private void SendForOne()
    {
        if (_isComing || _waiting.Count == 0)
        {
            return;
        }

        if (_asleep > 0)
        {
            Monitor.Pulse(_waiting);
            _isComing = true;
            return;
        }

        try
        {
            new Thread(Work) { IsBackground = true, Name = "errand-handler" }.UnsafeStart();
            _isComing = true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_waiting.Dequeue(), preferLocal: false); // The system gives no more threads.
        }
    }

    private void Work()
    {
        for (var comes = true; TryTake(comes, out var item); comes = false)
        {
            item.Execute();
        }
    }

    private bool TryTake(bool comes, [NotNullWhen(true)] out IThreadPoolWorkItem? item)
    {
        lock (_waiting)
        {
            _isComing &= !comes;
            while (!_waiting.TryDequeue(out item))
            {
                _asleep++;
                var isWoken = Monitor.Wait(_waiting, Rest);
                _asleep--;
                _isComing = false; // It may have been sent for at the moment when its rest was over.
                if (!isWoken && _waiting.Count == 0)
                {
                    return false;
                }
            }

            SendForOne();
            return true;
        }
    }
}
