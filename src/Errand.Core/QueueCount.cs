namespace Errand;

/// <summary>How many tasks of one queue are in one state.</summary>
public readonly record struct QueueCount
{
    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>The state.</summary>
    public required TaskState State { get; init; }

    /// <summary>How many tasks.</summary>
    public required long Tasks { get; init; }
}
