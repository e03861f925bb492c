using System.Runtime.Versioning;

[assembly: UnsupportedOSPlatform("windows")] // Signals, modes, pipes and sha256sum.

namespace Errand.Samples.Tests;

/// <summary>Where things are in the checkout that these tests were built in.</summary>
internal static class Repository
{
    internal static string Root { get; } = FindRoot();

    internal static string Checksums => Built("Checksums");

    /// <summary>The folder of a built sample, of the same configuration as these tests.</summary>
    internal static string Built(string sample)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Join(Root, "samples", sample, "bin", own.Parent!.Name, own.Name);
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Join(folder.FullName, "Errand.slnx")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("This is no checkout of Errand.");
        }

        return folder.FullName;
    }
}
