namespace Errand;

/// <summary>
/// The store has ended an incarnation of a worker: its lease ran out, and its tasks were released. <see cref="TaskWorker"/> handles
/// this itself: it cancels its handlers and begins a new incarnation.
/// </summary>
/// <param name="owner">The incarnation.</param>
public sealed class WorkerLostException(WorkerId owner)
    : ErrandException($"Worker incarnation {owner} has ended: its lease ran out and its tasks were given back.")
{
    /// <summary>The incarnation.</summary>
    public WorkerId Owner { get; } = owner;
}
