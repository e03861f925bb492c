namespace Errand.Storage;

/// <summary>
/// A store that can be told that a caller's transaction has committed, so that workers look for its tasks at once instead of by
/// polling. Found by <see cref="IBackend.Control{T}"/>.
/// </summary>
public interface ICommitSignal
{
    /// <summary>
    /// Reports that a transaction that enqueued tasks (<see cref="IBackend.EnqueueInAsync"/>) has committed. A hint: returns at once,
    /// from any thread, and never throws; after disposal it does nothing.
    /// </summary>
    void SignalCommit();
}
