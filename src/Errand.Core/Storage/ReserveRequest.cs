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

    /// <summary>
    /// Is given each batch of tasks that was started, as soon as that is committed, on one of the backend's own threads; the request
    /// goes on waiting and ends without tasks, by <see cref="Wait"/> or its token. So a worker is always there when a task arrives.
    /// Tasks of which one was lost before (<see cref="ReservedTask.WasLost"/>) are returned instead, and end the request, so that the
    /// worker decides in peace. It must return quickly and not throw. A backend that does not know it returns the first tasks. Default
    /// is null: the request ends with its first tasks.
    /// </summary>
    public Action<IReadOnlyList<ReservedTask>>? Started { get; init; }

    /// <summary>
    /// How long to wait for the first task; with <see cref="Started"/>, how long to take tasks. Default is forever; zero does not wait.
    /// </summary>
    public TimeSpan Wait { get; init; } = Timeout.InfiniteTimeSpan;
}
