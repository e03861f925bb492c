using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Errand.Bench.Reporting;

/// <summary>What a figure depends on besides the code.</summary>
internal static class Machine
{
    private const string Processors = "/proc/cpuinfo";

    internal static string Description { get; } = string.Create(
        CultureInfo.InvariantCulture,
        $"{Processor()}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 30)} GiB, "
        + $"{RuntimeInformation.OSDescription}, temporary files on {new DriveInfo(Path.GetTempPath()).DriveFormat}, .NET {Environment.Version}");

    /// <summary>What was built; the build notes it.</summary>
    internal static string Commit { get; } =
        typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit, ..]
            ? commit[..Math.Min(commit.Length, 12)]
            : "unknown";

    private static string Processor() => !File.Exists(Processors)
        ? $"{RuntimeInformation.ProcessArchitecture}"
        : File.ReadLines(Processors).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim()
            ?? $"{RuntimeInformation.ProcessArchitecture}";
}
