namespace Errand;

/// <summary>No task has this id: it never was, or it was finished and removed when its retention ended.</summary>
/// <param name="id">The id that was asked for.</param>
public sealed class TaskNotFoundException(long id)
    : Exception($"There is no task {id}: it never was, or its retention has ended and it was removed.")
{
    /// <summary>The id that was asked for.</summary>
    public long Id { get; } = id;
}
