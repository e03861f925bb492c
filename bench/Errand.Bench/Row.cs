namespace Errand.Bench;

/// <summary>What was measured of one case: a sample for each round, in order, so that rows can be compared round by round.</summary>
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
