namespace Errand;

/// <summary>A task with a result that the next <c>SaveChanges</c> of its context enqueues.</summary>
/// <typeparam name="TResult">The type that its handler returns.</typeparam>
public sealed class UnsavedTask<TResult> : UnsavedTask
{
    internal UnsavedTask()
    {
    }

    /// <inheritdoc cref="UnsavedTask.Handle"/>
    public new TaskHandle<TResult> Handle => (TaskHandle<TResult>)base.Handle;

    private protected override TaskHandle ToHandle(ITaskQueue queue, TaskHandle handle) =>
        new TaskHandle<TResult>(queue, handle.Id, handle.IsNew);
}
