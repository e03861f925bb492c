namespace Errand;

/// <summary>What a worker tells a backend of itself when an incarnation begins.</summary>
public sealed record WorkerRegistration
{
    /// <summary>How long it may be unheard of before its tasks are given back.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>The stored names of the tasks that it can run.</summary>
    public required IReadOnlyCollection<string> TaskNames { get; init; }

    /// <summary>The queues that it serves, to be shown and explained.</summary>
    public IReadOnlyList<QueueSubscription> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many tasks it runs at once, to be shown; 0 when it does not say.</summary>
    public int Concurrency { get; init; }

    /// <summary>
    /// Told within a second, on a thread of the backend's, that a task which it runs is to be cancelled; told again until the task
    /// has been settled. Must be quick and not throw. Default is null: it is not told.
    /// </summary>
    public Action<TaskLease>? CancelRequested { get; init; }
}
