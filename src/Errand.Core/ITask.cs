namespace Errand;

/// <summary>The payload of a task whose handler gives no result.</summary>
/// <remarks>
/// Its stored name comes from <see cref="TaskNameAttribute"/>, else from the type's own name in kebab-case
/// (<c>SendEmail</c> is stored as <c>send-email</c>), never from a namespace: moving the type breaks nothing.
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1040:Avoid empty interfaces", Justification = "The marker is the contract: it types what may be enqueued.")]
public interface ITask : ITaskPayload;
