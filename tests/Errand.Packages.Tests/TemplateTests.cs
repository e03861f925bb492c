using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The packages in fresh projects from the SDK's templates, which name versions of their own.</summary>
public sealed class TemplateTests(PackedPackages packed) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// NU1605 is a downgrade, NU1603 a version that no source has, NU1608 a version out of range, MSB3277 two versions of one assembly.
    /// </summary>
    [Theory]
    [InlineData("console", "Errand")]
    [InlineData("web", "Errand", "Errand.Hosting")]
    [InlineData("worker", "Errand", "Errand.Hosting", "Errand.PostgreSql")]
    [InlineData("xunit", "Errand.Testing")]
    public async Task A_fresh_project_builds_with_the_packages(string template, params string[] packages)
    {
        await packed.UseInAsync(_folder);
        await DotNetAsync("new", template, "-o", "Fresh", "--no-restore");
        await AddAsync(packages);
        await DotNetAsync(
            "build", "Fresh", "-v:quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-warnaserror:NU1603,NU1605,NU1608,MSB3277");
    }

    /// <summary>What <c>dotnet add package</c> writes, and a use of each package.</summary>
    private async Task AddAsync(string[] packages)
    {
        var project = _folder.File("Fresh/Fresh.csproj");
        var references = packages.Select(package => $"""<PackageReference Include="{package}" Version="{packed.Version}" />""");
        var text = await File.ReadAllTextAsync(project);
        await File.WriteAllTextAsync(
            project, text.Replace("</Project>", $"<ItemGroup>{string.Concat(references)}</ItemGroup></Project>", StringComparison.Ordinal));
        await File.WriteAllTextAsync(
            _folder.File("Fresh/Uses.cs"),
            $"internal static class Uses {{ internal static Type[] All => [{string.Join(", ", packages.Select(Use))}]; }}");
    }

    private static string Use(string package) => package switch
    {
        "Errand" => "typeof(Errand.TaskQueue), typeof(Errand.Sqlite.SqliteBackend)",
        "Errand.Hosting" => "typeof(Errand.Hosting.ErrandBuilder)",
        "Errand.PostgreSql" => "typeof(Errand.PostgreSql.PostgresBackend)",
        _ => "typeof(Errand.Testing.ErrandTest)",
    };

    private async Task DotNetAsync(params string[] arguments)
    {
        var ended = await RunningProgram.RunAsync(_folder.Path, ["dotnet", .. arguments]);
        Assert.True(ended.Code == 0, $"dotnet {string.Join(' ', arguments)}\n{ended.Output}{ended.Errors}");
    }
}
