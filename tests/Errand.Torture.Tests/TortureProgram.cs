using System.Diagnostics;
using Errand.TestKit;

namespace Errand.Tests;

internal static class TortureProgram
{
    /// <summary>Runs <c>dotnet</c> with these arguments to its end.</summary>
    internal static async Task<(int Code, string Output)> RunAsync(TemporaryFolder folder, string[] arguments)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", arguments)
            {
                UseShellExecute = false,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["TMPDIR"] = folder.Path }, // A broken run keeps its history: here, only as long as the test.
            },
        };
        process.Start();
        try
        {
            using var bound = new CancellationTokenSource(TimeSpan.FromMinutes(4));
            var output = process.StandardOutput.ReadToEndAsync(bound.Token);
            var errors = process.StandardError.ReadToEndAsync(bound.Token);
            await process.WaitForExitAsync(bound.Token);
            return (process.ExitCode, await errors + await output);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
