namespace Errand;

/// <summary>A store at one moment: its tasks, its workers, and tasks that no worker knows.</summary>
public sealed record QueueOverview
{
    /// <summary>How many of the newest finished tasks <see cref="Counts"/> counts at most: 10,000.</summary>
    public const int FinishedLimit = 10_000;

    /// <summary>
    /// How many tasks of a queue in a live state <see cref="Counts"/> counts at most, so that an overview costs the same whatever the
    /// store holds: 10,000. A store may count fewer where there are many queues, or count exactly.
    /// </summary>
    public const int CountLimit = 10_000;

    /// <summary>How many waiting tasks of each queue <see cref="Unclaimed"/> looks at, in the order of offering: 1,000.</summary>
    public const int UnclaimedLimit = 1_000;

    /// <summary>
    /// Tasks by queue and state, ordered by queue, then state; empty counts are left out. Live states are counted up to
    /// <see cref="CountLimit"/>, final states among the newest <see cref="FinishedLimit"/> finished tasks by id;
    /// <see cref="QueueCount.IsAtLeast"/> says which counts ended there.
    /// </summary>
    public required IReadOnlyList<QueueCount> Counts { get; init; }

    /// <summary>The queues that are paused, by name.</summary>
    public required IReadOnlyList<string> PausedQueues { get; init; }

    /// <summary>Workers of all processes that are alive and whose lease has not run out.</summary>
    public required int LiveWorkers { get; init; }

    /// <summary>
    /// How long the oldest waiting task has been due without being started, by the backend's clock; null if none is due. A task that
    /// is parked because no worker knows its name is not due; it is in <see cref="Unclaimed"/>.
    /// </summary>
    public required TimeSpan? OldestWaiting { get; init; }

    /// <summary>
    /// Names of due or parked tasks that no live worker knows, the most frequent first. Only the first <see cref="UnclaimedLimit"/> tasks
    /// of each queue are looked at, so the real count may be higher.
    /// </summary>
    public required IReadOnlyList<UnclaimedTasks> Unclaimed { get; init; }

    /// <summary>Adds up <see cref="Counts"/> over all queues. The sum is a lower bound if one of them is.</summary>
    /// <param name="state">The state.</param>
    public long Count(TaskState state) => Counts.Where(count => count.State == state).Sum(count => count.Tasks);
}
