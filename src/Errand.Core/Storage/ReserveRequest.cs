namespace Errand.Storage;

/// <summary>A worker's request for tasks.</summary>
public sealed record ReserveRequest
{
    /// <summary>The incarnation, from <see cref="IBackend.BeginWorkerAsync"/>.</summary>
    public required WorkerId Owner { get; init; }

    /// <summary>
    /// The queues to take from. Successive requests of one owner begin with each queue as often as its weight says, so that no queue
    /// starves.
    /// </summary>
    public IReadOnlyList<QueueSubscription> Queues { get; init; } = [Defaults.Queue];

    /// <summary>The most tasks to take; at least 1.</summary>
    public required int MaxTasks { get; init; }

    /// <summary>
    /// Returns how many tasks the worker can start now. The backend calls it on one of its own threads when tasks are available, so
    /// that slots freed during the wait count. At zero or less the request keeps waiting, and the backend calls again whenever this
    /// owner settles a task, and at the fallback poll. It must return quickly and not throw. Default is null: always
    /// <see cref="MaxTasks"/>.
    /// </summary>
    public Func<int>? FreeSlots { get; init; }

    /// <summary>How long to wait for the first task. Default is forever; zero does not wait.</summary>
    public TimeSpan Wait { get; init; } = Timeout.InfiniteTimeSpan;
}
