namespace Errand;

/// <summary>A store at one moment: how much there is, who works on it, and what waits in vain.</summary>
public sealed record QueueOverview
{
    /// <summary>How many of the newest finished tasks <see cref="Counts"/> counts at most: 10,000.</summary>
    public const int FinishedLimit = 10_000;

    /// <summary>How many of the tasks that wait in each queue <see cref="Unclaimed"/> looks at, first come first: 1,000.</summary>
    public const int UnclaimedLimit = 1_000;

    /// <summary>
    /// Tasks by queue and state, by name and then state; what there is none of is left out. Live states are counted in full, final
    /// ones among the newest <see cref="FinishedLimit"/> tasks that have ended, newest by id.
    /// </summary>
    public required IReadOnlyList<QueueCount> Counts { get; init; }

    /// <summary>The queues that are paused, by name.</summary>
    public required IReadOnlyList<string> PausedQueues { get; init; }

    /// <summary>Workers of any process whose process lives and whose lease has not run out.</summary>
    public required int LiveWorkers { get; init; }

    /// <summary>
    /// How long the task that has waited longest has been due without being started, by the backend's clock; null when none is
    /// due. One that is parked because nobody knows its name is not due; it is in <see cref="Unclaimed"/>.
    /// </summary>
    public required TimeSpan? OldestWaiting { get; init; }

    /// <summary>
    /// Names of tasks that are due or parked and that no live worker knows, most first. Looked at are the first
    /// <see cref="UnclaimedLimit"/> in each queue, so that a count may be more than is said.
    /// </summary>
    public required IReadOnlyList<UnclaimedTasks> Unclaimed { get; init; }

    /// <summary>Adds up <see cref="Counts"/> over all queues.</summary>
    /// <param name="state">The state.</param>
    public long Count(TaskState state) => Counts.Where(count => count.State == state).Sum(count => count.Tasks);
}
