namespace Errand.Tests;

/// <summary>An application of Entity Framework Core with a table called Tasks takes Errand into its file, in any order.</summary>
public sealed class AdoptionTests(PackedPackages packed) : IDisposable
{
    private readonly FreshProjects _projects = new(packed);

    public void Dispose() => _projects.Dispose();

    [Fact]
    public async Task Its_tables_are_the_same_before_and_after_and_its_tasks_run()
    {
        await _projects.CopyAsync("EfCore", "EfCore");
        await _projects.AddPackagesAsync("EfCore", "Errand", "Errand.Hosting", "Errand.EntityFrameworkCore");
        await _projects.BuildAsync("EfCore");

        // Its own tables first.
        foreach (var makes in (string[])["create", "migrate"])
        {
            var before = await StepsAsync(makes, "add", "show");
            Assert.EndsWith("1 rows\n", before, StringComparison.Ordinal);
            Assert.Equal("first: done\n" + before.Replace("1 rows", "2 rows", StringComparison.Ordinal), await GoOnAsync("first", "show"));
            Assert.Equal("second: done\n" + before.Replace("1 rows", "4 rows", StringComparison.Ordinal), await GoOnAsync("second", "add", "show"));
        }

        // Errand's first.
        Assert.Equal("pong\n" + await StepsAsync("create", "add", "show"), await StepsAsync("ping", "create-with-errand", "add", "show"));
        Assert.Equal("third: done\n", await GoOnAsync("third"));
        Assert.Equal("pong\n" + await StepsAsync("migrate", "add", "show"), await StepsAsync("ping", "migrate", "add", "show"));
        Assert.Equal("fourth: done\n", await GoOnAsync("fourth"));
    }

    /// <summary>In a new file.</summary>
    private Task<string> StepsAsync(params string[] steps)
    {
        foreach (var file in Directory.GetFiles(_projects.Path("EfCore"), "shop.db*"))
        {
            File.Delete(file);
        }

        return GoOnAsync(steps);
    }

    private async Task<string> GoOnAsync(params string[] steps)
    {
        var output = await _projects.RunAsync("EfCore", steps);
        return string.Concat(output.Split('\n').Where(line => !IsLog(line)).Select(line => line + "\n"))[..^1];
    }

    /// <summary>The console logger of a host writes a level, and indented lines.</summary>
    private static bool IsLog(string line) =>
        line.StartsWith("info: ", StringComparison.Ordinal) || line.StartsWith("warn: ", StringComparison.Ordinal)
        || line.StartsWith("      ", StringComparison.Ordinal);
}
