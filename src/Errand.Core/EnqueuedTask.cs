namespace Errand;

/// <summary>A backend's answer to one <see cref="NewTask"/>.</summary>
/// <param name="Id">The task's id; that of the task that existed already where this one was not made.</param>
/// <param name="IsNew">False when a task of the given id, or one that holds the unique key, existed already.</param>
public readonly record struct EnqueuedTask(long Id, bool IsNew);
