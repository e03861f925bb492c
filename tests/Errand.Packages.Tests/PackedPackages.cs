using System.IO.Compression;
using Errand.TestKit;
using Errand.Tests;

[assembly: AssemblyFixture(typeof(PackedPackages))]

namespace Errand.Tests;

/// <summary>Every package, packed once from the build that these tests belong to, for the projects that the tests make.</summary>
public sealed class PackedPackages : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Path.Combine(RepositoryRoot.Path, "src")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    public string Version =>
        Path.GetFileNameWithoutExtension(Directory.GetFiles(Folder, "Errand.Core.*.nupkg").Single())["Errand.Core.".Length..];

    private string Folder => _folder.File("packed");

    /// <summary>Links to the packages that this machine has already, without those of Errand.</summary>
    private string Known => _folder.File("known");

    public async ValueTask InitializeAsync()
    {
        foreach (var name in Names)
        {
            var packed = await RunningProgram.RunAsync(
                RepositoryRoot.Path, "dotnet", "pack", Path.Combine("src", name), "-c", Configuration, "--no-build", "-o", Folder, "-v:quiet",
                "-nodeReuse:false");
            Assert.True(packed.Code == 0, packed.Output + packed.Errors);
        }

        UseOwnPackages();
    }

    public ZipArchive Open(string name, string kind) =>
        ZipFile.OpenRead(Directory.GetFiles(Folder, $"{name}.*.{kind}").Single(file => char.IsDigit(Path.GetFileName(file)[name.Length + 1])));

    /// <summary>In this folder the packages come from this build, everything else from where it always comes.</summary>
    public Task UseInAsync(TemporaryFolder folder) => File.WriteAllTextAsync(folder.File("nuget.config"), $"""
        <configuration>
          <fallbackPackageFolders><add key="known" value="{Known}" /></fallbackPackageFolders>
          <packageSources><add key="packed" value="{Folder}" /></packageSources>
        </configuration>
        """);

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// NuGet unpacks a version once and never looks at its package again. In the machine's folder it would find an earlier build of the
    /// same version, and it would leave this build there for other projects. An environment variable, because it overrides nuget.config.
    /// </summary>
    private void UseOwnPackages()
    {
        var known = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        Directory.CreateDirectory(Known);
        foreach (var package in new DirectoryInfo(known).EnumerateDirectories())
        {
            if (package.Name != "errand" && !package.Name.StartsWith("errand.", StringComparison.Ordinal))
            {
                Directory.CreateSymbolicLink(Path.Combine(Known, package.Name), package.FullName);
            }
        }

        Environment.SetEnvironmentVariable("NUGET_PACKAGES", _folder.File("packages"));
    }

    private static string Configuration =>
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";
}
