namespace Errand;

/// <summary>A backend's answer to one <see cref="NewTask"/>.</summary>
/// <param name="Id">The task's id.</param>
/// <param name="IsNew">False when a task of the given id existed already.</param>
public readonly record struct EnqueuedTask(long Id, bool IsNew);
