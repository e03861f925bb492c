namespace Errand;

/// <summary>The payload of a task whose handler gives a <typeparamref name="TResult"/>.</summary>
/// <typeparam name="TResult">What the handler returns; stored as JSON.</typeparam>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1040:Avoid empty interfaces", Justification = "The marker carries the result type to EnqueueAsync.")]
public interface ITask<out TResult> : ITaskPayload;
