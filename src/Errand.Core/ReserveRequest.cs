namespace Errand;

/// <summary>A worker's wish for tasks.</summary>
public sealed record ReserveRequest
{
    /// <summary>The incarnation, from <see cref="IBackend.BeginWorkerAsync"/>.</summary>
    public required long Owner { get; init; }

    /// <summary>The queues to take from; requests of one owner begin with each as often as its weight says, so that none starves.</summary>
    public IReadOnlyList<QueueSubscription> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many tasks are taken at most; at least 1.</summary>
    public required int MaxTasks { get; init; }

    /// <summary>
    /// How many can be started at the moment that tasks are there: asked then, on a thread of the backend's, so that what is
    /// freed during the wait counts. Zero or less leaves the request waiting; it is asked again whenever this owner settles a
    /// task, and at the fallback poll. Must be quick and not throw. Default is null: always <see cref="MaxTasks"/>.
    /// </summary>
    public Func<int>? FreeSlots { get; init; }

    /// <summary>How long to wait for the first. Default is for ever; zero not at all.</summary>
    public TimeSpan Wait { get; init; } = Timeout.InfiniteTimeSpan;
}
