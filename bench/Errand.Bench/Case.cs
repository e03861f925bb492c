namespace Errand.Bench;

/// <summary>One thing to measure.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Store">Where.</param>
/// <param name="Tasks">With how many tasks.</param>
/// <param name="Measure">Does it in a new, empty store with so many tasks, and gives one sample.</param>
/// <param name="Original">The figure that the original Python queue publishes for the same.</param>
internal sealed record Case(
    string Name, Store Store, int Tasks, Func<OpenStore, int, Task<double>> Measure, double? Original = null)
{
    public override string ToString() => $"{Name}, {Store.Kind}, {Store.Durability}";
}

/// <summary>What was measured: a sample for each round, in order, so that rows can be compared round by round.</summary>
internal sealed record Row(Case Case, double[] Samples)
{
    internal double Median
    {
        get
        {
            double[] sorted = [.. Samples.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}
