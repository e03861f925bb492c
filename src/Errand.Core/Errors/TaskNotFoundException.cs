namespace Errand;

/// <summary>No task has this id: it never existed, or it has ended and was removed when its retention ended.</summary>
/// <param name="id">The id that was asked for.</param>
public sealed class TaskNotFoundException(TaskId id)
    : ErrandException($"There is no task {id}: it never was, or its retention has ended and it was removed.")
{
    /// <summary>The id that was asked for.</summary>
    public TaskId Id { get; } = id;
}
