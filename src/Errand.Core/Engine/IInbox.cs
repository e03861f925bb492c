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
