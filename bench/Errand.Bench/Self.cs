using System.Diagnostics;

namespace Errand.Bench;

/// <summary>This program once more, in a process of its own.</summary>
internal static class Self
{
    internal static Process Start(IReadOnlyList<string> arguments, bool isMember = false)
    {
        var program = Environment.ProcessPath ?? throw new InvalidOperationException("This program has no path.");
        var isHost = Path.GetFileNameWithoutExtension(program) == "dotnet"; // Whose first argument is this program.
        string[] self = isHost ? Environment.GetCommandLineArgs()[..1] : [];
        return Process.Start(new ProcessStartInfo(program, [.. self, .. arguments])
        {
            RedirectStandardInput = isMember,
            RedirectStandardOutput = isMember,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException($"'{program}' did not start.");
    }
}
