using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace Errand.TestKit;

/// <summary>What holds for every value of a kind, tried on many that are drawn from a fixed seed.</summary>
public static class Always
{
    /// <summary>The same in every run, so that a failure can be repeated; another finds other values.</summary>
    public static ulong Seed { get; } = ulong.Parse(
        Environment.GetEnvironmentVariable("ERRAND_PROPERTY_SEED") ?? "20260708", CultureInfo.InvariantCulture);

    /// <summary>Runs assertions on values; the smallest value found that fails them is told, with the seed.</summary>
    public static void Holds<T>(Gen<T> values, Action<T> assert, int count = 1_000, Func<T, IEnumerable<T>>? shrink = null)
    {
        var arbitrary = shrink is null ? values.ToArbitrary() : Arb.From(values, shrink);
        var config = Config.QuickThrowOnFailure.WithMaxTest(count).WithEndSize(100).WithQuietOnSuccess(true).WithReplay(Seed, 1);
        try
        {
            Prop.ForAll(arbitrary, assert).Check(config);
        }
        catch (Exception e) when (e.GetType().Namespace?.StartsWith("Xunit", StringComparison.Ordinal) != true)
        {
            throw new InvalidOperationException($"With ERRAND_PROPERTY_SEED={Seed}: {e.Message}", e);
        }
    }
}
