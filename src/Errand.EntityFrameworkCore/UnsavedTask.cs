namespace Errand;

/// <summary>A task that the next <c>SaveChanges</c> of its context enqueues.</summary>
public class UnsavedTask
{
    private TaskHandle? _handle;

    private protected UnsavedTask()
    {
    }

    /// <summary>Whether <c>SaveChanges</c> has enqueued the task. In your own transaction it exists once that commits.</summary>
    public bool IsSaved => _handle is not null;

    /// <summary>The enqueued task: its id, and a way to wait for its end.</summary>
    /// <exception cref="InvalidOperationException">The task is not saved yet.</exception>
    public TaskHandle Handle => _handle
        ?? throw new InvalidOperationException("The task has no id yet. Call SaveChanges or SaveChangesAsync first.");

    /// <summary>The id of the enqueued task.</summary>
    /// <inheritdoc cref="Handle"/>
    public TaskId Id => Handle.Id;

    /// <summary>The handle of a task of this kind.</summary>
    private protected virtual TaskHandle ToHandle(ITaskQueue queue, TaskHandle handle) => handle;

    internal static UnsavedTask Create() => new();

    internal void Save(ITaskQueue queue, TaskHandle handle) => _handle = ToHandle(queue, handle);
}
