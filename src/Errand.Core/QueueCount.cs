namespace Errand;

/// <summary>How many tasks of one queue are in one state.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="State">The state.</param>
/// <param name="Tasks">How many.</param>
public readonly record struct QueueCount(string Queue, TaskState State, long Tasks);
