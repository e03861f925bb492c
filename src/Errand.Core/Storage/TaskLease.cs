namespace Errand.Storage;

/// <summary>The right to settle one start of a task. Another start of the task ends it forever.</summary>
public readonly record struct TaskLease
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The worker incarnation that the task was started for.</summary>
    public required WorkerId Owner { get; init; }

    /// <summary>The number of this start: one higher at each, never reused.</summary>
    public required long Epoch { get; init; }
}
