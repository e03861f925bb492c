using System.Text.RegularExpressions;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>Projects that a user makes, in a folder of their own, with the packages of this build.</summary>
internal sealed partial class FreshProjects(PackedPackages packed) : IDisposable
{
    private static readonly string Apps = System.IO.Path.Combine(RepositoryRoot.Path, "tests/Errand.Packages.Tests/Apps");

    private readonly TemporaryFolder _folder = new();

    public string Path(string file) => _folder.File(file);

    /// <summary>Makes a project from a template of the SDK, as <c>dotnet new</c> and <c>dotnet add package</c> do.</summary>
    public async Task NewAsync(string template, string name, params string[] packages)
    {
        await packed.UseInAsync(_folder);
        await DotNetAsync("new", template, "-o", name, "--no-restore");
        await AddPackagesAsync(name, packages);
    }

    /// <summary>Copies the files of an application over what is there.</summary>
    public async Task CopyAsync(string app, string name)
    {
        await packed.UseInAsync(_folder);
        Directory.CreateDirectory(Path(name));
        foreach (var file in Directory.GetFiles(System.IO.Path.Combine(Apps, app)))
        {
            var text = await File.ReadAllTextAsync(file);
            await File.WriteAllTextAsync(
                System.IO.Path.Combine(Path(name), System.IO.Path.GetFileName(file)),
                text.Replace("{EntityFrameworkCore}", VersionOf("Microsoft.EntityFrameworkCore.Sqlite"), StringComparison.Ordinal)
                    .Replace("{Extensions}", VersionOf("Microsoft.Extensions.Hosting"), StringComparison.Ordinal));
        }
    }

    public async Task AddPackagesAsync(string name, params string[] packages) => await AddAsync(
        name,
        packages.Select(package =>
            $"""<PackageReference Include="{package}" Version="{(package.StartsWith("Errand", StringComparison.Ordinal) ? packed.Version : VersionOf(package))}" />"""));

    public Task AddProjectAsync(string name, string other) => AddAsync(name, [$"""<ProjectReference Include="../{other}/{other}.csproj" />"""]);

    /// <summary>
    /// NU1605 is a downgrade, NU1603 a version that no source has, NU1608 a version out of range, MSB3277 two versions of one assembly.
    /// </summary>
    public Task BuildAsync(string name) => DotNetAsync(
        "build", name, "-v:quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-warnaserror:NU1603,NU1605,NU1608,MSB3277");

    public string Program(string name) => Path($"{name}/bin/Debug/net10.0/{name}");

    /// <summary>Runs a program that was built, in the folder of its project.</summary>
    /// <returns>What it prints.</returns>
    public async Task<string> RunAsync(string name, params string[] arguments)
    {
        var ended = await RunningProgram.RunAsync(Path(name), [Program(name), .. arguments]);
        Assert.True(ended.Code == 0, ended.Output + ended.Errors);
        return ended.Output;
    }

    public async Task<string> DotNetAsync(params string[] arguments)
    {
        var ended = await RunningProgram.RunAsync(_folder.Path, ["dotnet", .. arguments]);
        Assert.True(ended.Code == 0, $"dotnet {string.Join(' ', arguments)}\n{ended.Output}{ended.Errors}");
        return ended.Output;
    }

    public void Dispose() => _folder.Dispose();

    private async Task AddAsync(string name, IEnumerable<string> references)
    {
        var project = Path($"{name}/{name}.csproj");
        var text = await File.ReadAllTextAsync(project);
        await File.WriteAllTextAsync(
            project, text.Replace("</Project>", $"<ItemGroup>{string.Concat(references)}</ItemGroup></Project>", StringComparison.Ordinal));
    }

    /// <summary>The version that the tests of the repository use, which is on this machine already.</summary>
    private static string VersionOf(string package)
    {
        var text = File.ReadAllText(System.IO.Path.Combine(RepositoryRoot.Path, "Directory.Packages.props"));
        var version = Regex.Match(
            text, $"Include=\"{Regex.Escape(package)}\" Version=\"(?<version>[^\"]+)\"", RegexOptions.None, TimeSpan.FromSeconds(1)).Groups["version"].Value;
        return Property().Match(version) is { Success: true } property
            ? Regex.Matches(text, $"<{property.Groups["name"].Value}>(?<version>[^<]+)<", RegexOptions.None, TimeSpan.FromSeconds(1))[^1].Groups["version"].Value
            : version;
    }

    [GeneratedRegex(@"^\$\((?<name>\w+)\)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Property();
}
