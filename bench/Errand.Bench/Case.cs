namespace Errand.Bench;

/// <summary>One thing to measure.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Store">Where.</param>
/// <param name="Tasks">With how many tasks; null for a case that is bounded by time, and warms up by itself.</param>
/// <param name="Measure">Does it with so many tasks in a new place, and gives a value for each metric.</param>
/// <param name="Original">The figure that the original Python queue publishes for the same.</param>
internal sealed record Case(
    string Name, Store Store, int? Tasks, Func<Place, int, Task<double[]>> Measure, double? Original = null)
{
    /// <summary>The case on the same store that is the limit of what could be reached.</summary>
    internal string? Raw { get; init; }

    /// <summary>The case on the same store that does the same by hand.</summary>
    internal string? Naive { get; init; }

    public override string ToString() => $"{Name}, {Store.Kind}, {Store.Durability}";
}
