namespace Errand.Engine;

/// <summary>Where callers leave operations for a store's writer. Thread-safe.</summary>
internal interface IInbox<TTurn>
{
    /// <summary>Leaves an operation, and starts the writer if it does not run yet.</summary>
    /// <exception cref="ObjectDisposedException">The backend is disposed.</exception>
    void Submit(Operation<TTurn> operation);

    /// <summary>Leaves word for a writer that runs.</summary>
    /// <returns>False when the backend is disposed.</returns>
    bool TryAdd(Operation<TTurn> operation);
}

/// <summary>How callers wait for what they have submitted.</summary>
internal static class InboxExtensions
{
    /// <summary>Submits an operation and waits for its commit. Cancelling abandons the wait, not the commit.</summary>
    internal static Task<TResult> SubmitAsync<TTurn, TResult>(
        this IInbox<TTurn> inbox, Operation<TTurn, TResult> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        inbox.Submit(operation);
        return cancellationToken.CanBeCanceled ? operation.Completion.WaitAsync(cancellationToken) : operation.Completion;
    }
}
