namespace Errand.Storage;

/// <summary>How a worker introduces itself to a backend when an incarnation begins.</summary>
public sealed record WorkerRegistration
{
    /// <summary>How long the worker keeps its tasks without a heartbeat.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>The stored names of the tasks that it can run.</summary>
    public required IReadOnlyCollection<string> TaskNames { get; init; }

    /// <summary>The queues that it serves, for inspection and explanations.</summary>
    public IReadOnlyList<QueueSubscription> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many tasks it runs at once, for inspection. Default is 0: not known.</summary>
    public int Concurrency { get; init; }

    /// <summary>
    /// Called within a second after somebody cancels a task that this worker runs, on one of the backend's threads, and again until
    /// the task is settled. It must return quickly and not throw. Default is null: not called.
    /// </summary>
    public Action<TaskLease>? CancelRequested { get; init; }
}
