namespace Errand;

/// <summary>
/// What every task's payload is: a plain, serializable record. Implement <see cref="ITask"/> or
/// <see cref="ITask{TResult}"/> rather than this; it exists so that both can be enqueued together.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1040:Avoid empty interfaces", Justification = "The marker is the contract: it types what may be enqueued.")]
public interface ITaskPayload;
