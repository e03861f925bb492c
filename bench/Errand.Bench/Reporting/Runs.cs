using System.Text.Json.Nodes;

namespace Errand.Bench.Reporting;

/// <summary>
/// The command <c>report</c>: each scenario in a process of its own, its run in a file, and the page and its plots from all files that are
/// there. A scenario that runs again replaces only its own file.
/// </summary>
internal static class Runs
{
    internal const string Verb = "report";

    /// <returns>What the program answers with.</returns>
    internal static async Task<int> ReportAsync(string[] args, IReadOnlyList<IScenario> scenarios)
    {
        var docs = Docs();
        var folder = Directory.CreateDirectory(Path.Combine(docs, "benchmarks")).FullName;
        var backend = args.SkipWhile(arg => arg != "--backend").ElementAtOrDefault(1);
        var name = args.ElementAtOrDefault(1) is { } first && !first.StartsWith('-') ? first : null;
        var options = args[(name is null ? 1 : 2)..];
        foreach (var scenario in scenarios.Where(one => one.Name == (name ?? one.Name) && one.Backend == (backend ?? one.Backend)))
        {
            Console.Error.WriteLine($"{scenario.Name}, {scenario.Backend}");
            var file = Path.Combine(folder, $"{scenario.Name}-{scenario.Backend}.json");
            using var process = Self.Start([scenario.Name, "--backend", scenario.Backend, .. options, "--json", file]);
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
            {
                return process.ExitCode;
            }
        }

        Write(docs);
        return 0;
    }

    /// <summary>Makes page and plots of the runs that are there.</summary>
    private static void Write(string docs)
    {
        var runs = Read(docs);
        foreach (var (name, run) in runs)
        {
            File.WriteAllText(Path.Combine(docs, "benchmarks", $"{name}.svg"), Plot.Of(run));
        }

        File.WriteAllText(Path.Combine(docs, "benchmarks.md"), Page.Of(runs));
    }

    /// <summary>The runs in a folder of documentation, by the name of their file.</summary>
    internal static SortedDictionary<string, JsonObject> Read(string docs) => new(
        Directory.EnumerateFiles(Path.Combine(docs, "benchmarks"), "*.json").ToDictionary(
            file => Path.GetFileNameWithoutExtension(file),
            file => JsonNode.Parse(File.ReadAllText(file)) as JsonObject ?? throw new FormatException($"'{file}' is not a run.")),
        StringComparer.Ordinal);

    private static string Docs()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Errand.slnx")))
            {
                return Path.Combine(folder.FullName, "docs");
            }
        }

        throw new InvalidOperationException("The report is written to the repository that the program was built in; there is none.");
    }
}
