namespace Errand.Contract;

/// <summary>A way to use a store, as the contract needs it: new backends over fresh data. Each test has one of its own.</summary>
public abstract class Store : IAsyncDisposable
{
    /// <summary>
    /// How many random sequences of calls are drawn. Null is as many as meet every case of the model; a store whose calls are slow
    /// draws the first few of them.
    /// </summary>
    public virtual int? Sequences => null;

    /// <summary>Finds whatever the store needs, such as a server, before the first backend is created.</summary>
    public virtual ValueTask StartAsync() => ValueTask.CompletedTask;

    /// <summary>Creates a backend over a fresh store.</summary>
    public abstract IBackend Create(TimeProvider clock, TimeSpan? retention);

    /// <summary>Creates a backend over a fresh store that keeps succeeded tasks for a minute, and others for the given times.</summary>
    public abstract IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired);

    public ValueTask DisposeAsync()
    {
        CleanUp();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>Removes the data, after every backend was disposed.</summary>
    protected virtual void CleanUp()
    {
    }
}
