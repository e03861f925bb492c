namespace Errand;

/// <summary>One call that enqueues, for <see cref="ITaskMiddleware.EnqueueAsync"/>.</summary>
public sealed class EnqueueContext
{
    internal EnqueueContext(IReadOnlyList<EnqueueItem> tasks, IServiceProvider? services, CancellationToken cancellationToken)
    {
        Tasks = tasks;
        Services = services;
        CancellationToken = cancellationToken;
    }

    /// <summary>The tasks of the call, at least one, in order.</summary>
    public IReadOnlyList<EnqueueItem> Tasks { get; }

    /// <summary>The services of the call's own scope, which ends with it. Null outside a host.</summary>
    public IServiceProvider? Services { get; }

    /// <summary>The token that the caller gave.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Adds a header to every task that does not have it.</summary>
    /// <param name="name">See <see cref="EnqueueOptions.Headers"/>.</param>
    /// <param name="value">The text.</param>
    public void AddHeader(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(value);
        foreach (var task in Tasks)
        {
            task.AddHeader(name, value);
        }
    }
}
