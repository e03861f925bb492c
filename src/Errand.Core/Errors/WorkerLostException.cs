namespace Errand;

/// <summary>
/// A worker's incarnation has ended in the store: its lease ran out, and its tasks were given back. A <see cref="TaskWorker"/>
/// handles this by cancelling what it runs and beginning anew.
/// </summary>
/// <param name="owner">The incarnation.</param>
public sealed class WorkerLostException(long owner)
    : Exception($"Worker incarnation {owner} has ended: its lease ran out and its tasks were given back.")
{
    /// <summary>The incarnation.</summary>
    public long Owner { get; } = owner;
}
