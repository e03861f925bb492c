namespace Errand.Bench;

/// <summary>What was measured: a sample for each round, in order: rows are compared round by round.</summary>
internal sealed record Row(Case Case, double[][] Samples)
{
    /// <summary>The values of one metric, by round.</summary>
    internal double[] Of(int metric) => Array.ConvertAll(Samples, sample => sample[metric]);

    /// <summary>The first metric divided by that of another case on the same store: the median of the rounds.</summary>
    /// <returns>Null when there is none to compare with.</returns>
    internal double? RatioTo(string? name, IEnumerable<Row> rows) =>
        rows.FirstOrDefault(row => row.Case.Name == name && row.Case.Store == Case.Store) is { } other
            ? Median(Of(0).Zip(other.Of(0), (mine, its) => mine / its))
            : null;

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
