namespace Errand;

/// <summary>Waiting tasks whose name no live worker knows.</summary>
public readonly record struct UnclaimedTasks
{
    /// <summary>The stored name of the tasks.</summary>
    public required string Name { get; init; }

    /// <summary>How many were found.</summary>
    public required long Tasks { get; init; }
}
