using Errand.Bench.Reporting;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>No figure of the benchmarks is written by hand: page and plots are what the rows of the runs say.</summary>
public sealed class BenchmarksTests
{
    private static readonly string Docs = Path.Combine(RepositoryRoot.Path, "docs");

    [Fact]
    public async Task The_page_and_its_plots_are_those_of_the_runs()
    {
        var runs = Runs.Read(Docs);

        Assert.Equal(Page.Of(runs), await ReadAsync("benchmarks.md"));
        foreach (var (name, run) in runs)
        {
            Assert.Equal(Plot.Of(run), await ReadAsync($"benchmarks/{name}.svg"));
        }

        static Task<string> ReadAsync(string file) =>
            File.ReadAllTextAsync(Path.Combine(Docs, file), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Every_run_says_what_was_built_and_what_repeats_it()
    {
        foreach (var (name, run) in Runs.Read(Docs))
        {
            Assert.Matches("^[0-9a-f]{12}$", $"{run["commit"]}");
            Assert.StartsWith("dotnet run -c Release --project bench/Errand.Bench -- ", $"{run["command"]}", StringComparison.Ordinal);
            Assert.Equal(name, $"{run["scenario"]}-{run["backend"]}");
            Assert.NotEmpty(run["rows"]!.AsArray());
        }
    }
}
