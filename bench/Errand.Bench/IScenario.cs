namespace Errand.Bench;

/// <summary>A named list of cases that are measured in turn and printed as one table.</summary>
internal interface IScenario
{
    string Name { get; }

    /// <summary>What it measures, as <c>--backend</c> names it.</summary>
    string Backend => "sqlite";

    /// <summary>One line for the usage text.</summary>
    string Summary { get; }

    /// <summary>What each sample holds, in this order. Spread and ratios are told of the first.</summary>
    IReadOnlyList<Metric> Metrics => [Metric.TasksPerSecond];

    /// <summary>How often each case is measured when the command line does not say.</summary>
    int Rounds => 5;

    /// <summary>How many tasks by default; null where the cases have their own numbers.</summary>
    int? Tasks => null;

    IEnumerable<Case> Cases(int tasks);
}
