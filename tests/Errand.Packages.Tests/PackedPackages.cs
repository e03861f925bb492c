using System.IO.Compression;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>A folder with every package, packed from what these tests were built with.</summary>
public sealed class PackedPackages : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Path.Combine(RepositoryRoot.Path, "src")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    public string Folder => _folder.Path;

    public async ValueTask InitializeAsync()
    {
        foreach (var name in Names)
        {
            var packed = await RunningProgram.RunAsync(
                RepositoryRoot.Path, "dotnet", "pack", Path.Combine("src", name), "-c", Configuration, "--no-build", "-o", Folder, "-v:quiet",
                "-nodeReuse:false");
            Assert.True(packed.Code == 0, packed.Output + packed.Errors);
        }
    }

    public ZipArchive Open(string name, string kind) =>
        ZipFile.OpenRead(Directory.GetFiles(Folder, $"{name}.*.{kind}").Single(file => char.IsDigit(Path.GetFileName(file)[name.Length + 1])));

    /// <summary>In this folder the packages come from this build, everything else from where it always comes.</summary>
    public async Task UseInAsync(TemporaryFolder folder)
    {
        var known = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        await File.WriteAllTextAsync(folder.File("nuget.config"), $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{folder.File("packages")}" /></config>
              <fallbackPackageFolders><add key="known" value="{known}" /></fallbackPackageFolders>
              <packageSources><add key="packed" value="{Folder}" /></packageSources>
            </configuration>
            """);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string Configuration =>
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";
}
