namespace Errand.Storage;

/// <summary>A backend's answer to one <see cref="NewTask"/>.</summary>
public readonly record struct EnqueuedTask
{
    /// <summary>The task's id, or the id of the existing task if <see cref="IsNew"/> is false.</summary>
    public required TaskId Id { get; init; }

    /// <summary>False when a task with the given id, or one that holds the unique key, existed already.</summary>
    public required bool IsNew { get; init; }
}
