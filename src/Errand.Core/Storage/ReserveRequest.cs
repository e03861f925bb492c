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
    /// Receives each batch of started tasks right after its commit, on one of the backend's own threads. The request stays open until
    /// <see cref="Wait"/> is over or its token is cancelled, so that new tasks always find a waiting worker. A batch with a task that was
    /// lost before (<see cref="ReservedTask.WasLost"/>) is returned instead and ends the request. The callback must return quickly and
    /// not throw: an exception ends the request with a <see cref="BackendException"/>, and the next reconcile releases the batch. A
    /// backend may ignore this and return the first tasks. Default is null: the request ends with its first tasks.
    /// </summary>
    public Action<IReadOnlyList<ReservedTask>>? Started { get; init; }

    /// <summary>
    /// How long to wait for the first task; with <see cref="Started"/>, how long to take tasks. Default is forever; zero does not wait.
    /// </summary>
    public TimeSpan Wait { get; init; } = Timeout.InfiniteTimeSpan;
}
