namespace Errand;

/// <summary>Tasks that wait for a worker that knows their name, and there is none.</summary>
/// <param name="Name">The stored name of the tasks.</param>
/// <param name="Tasks">How many were found.</param>
public readonly record struct UnclaimedTasks(string Name, long Tasks);
