using System.Text.RegularExpressions;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The page that says which test shows what names tests that are there.</summary>
public sealed partial class ReliabilityTests
{
    public static TheoryData<string, string> Named
    {
        get
        {
            var page = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "docs", "reliability.md"));
            var named = new TheoryData<string, string>();
            foreach (var test in Test.Matches(page).DistinctBy(match => match.Value))
            {
                named.Add(test.Groups["class"].Value, test.Groups["method"].Value);
            }

            return named;
        }
    }

    [Theory]
    [MemberData(nameof(Named))]
    public void Every_test_that_it_names_is_there(string type, string method)
    {
        var files = Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "tests"), $"{type}.cs", SearchOption.AllDirectories);
        Assert.Contains(files, file => File.ReadAllText(file).Contains($" {method}(", StringComparison.Ordinal));
    }

    [GeneratedRegex("`(?<class>[A-Z][A-Za-z]+(?:Tests|Contract))\\.(?<method>[A-Z][A-Za-z0-9_]+)`", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Test { get; }
}
