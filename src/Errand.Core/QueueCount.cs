namespace Errand;

/// <summary>How many tasks of one queue are in one state.</summary>
public readonly record struct QueueCount
{
    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>The state.</summary>
    public required TaskState State { get; init; }

    /// <summary>How many tasks, or that many and more if <see cref="IsAtLeast"/>.</summary>
    public required long Tasks { get; init; }

    /// <summary>
    /// Whether counting ended at a limit (<see cref="QueueOverview.CountLimit"/>, <see cref="QueueOverview.FinishedLimit"/>), so that
    /// there may be more. Default is false: the count is exact.
    /// </summary>
    public bool IsAtLeast { get; init; }
}
