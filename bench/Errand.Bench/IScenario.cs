namespace Errand.Bench;

/// <summary>A named list of cases that are measured in turn and printed as one table.</summary>
internal interface IScenario
{
    string Name { get; }

    /// <summary>One line for the usage text.</summary>
    string Summary { get; }

    /// <summary>How often each case is measured when the command line does not say.</summary>
    int Rounds => 5;

    /// <summary>How many tasks when the command line does not say; null where the numbers are fixed.</summary>
    int? Tasks => null;

    /// <summary>What is measured.</summary>
    Metric Metric => Metric.TasksPerSecond;

    IEnumerable<Case> Cases(int tasks);
}

/// <summary>A quantity: its name in JSON, and at the head of a column.</summary>
internal sealed record Metric(string JsonName, string Heading)
{
    internal static Metric TasksPerSecond { get; } = new("tasksPerSecond", "tasks/s");

    internal static Metric BytesPerTask { get; } = new("bytesPerTask", "bytes/task");
}

/// <summary>One thing to measure.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Store">Where.</param>
/// <param name="Tasks">With how many tasks.</param>
/// <param name="Measure">Does it with so many tasks on a fresh store, and gives one sample.</param>
internal sealed record Case(string Name, Store Store, int Tasks, Func<int, Task<double>> Measure)
{
    /// <summary>The figure that the original Python queue publishes for the same.</summary>
    internal double? Original { get; init; }

    public override string ToString() => $"{Name}, {Store.Kind}, {Store.Durability}";
}
