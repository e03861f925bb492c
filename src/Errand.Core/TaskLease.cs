namespace Errand;

/// <summary>The right to settle one start of a task. It is lost for good once another start has been made.</summary>
/// <param name="Id">The task's id.</param>
/// <param name="Owner">The worker incarnation that it was started for.</param>
/// <param name="Epoch">The number of this start: one higher at each, never reused.</param>
public readonly record struct TaskLease(long Id, long Owner, long Epoch);
