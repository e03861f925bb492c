using Errand.TestKit;

namespace Errand.Tests;

internal static class TortureProgram
{
    /// <summary>Runs <c>dotnet</c> with these arguments to its end. A broken run keeps its history: here, only as long as the test.</summary>
    internal static async Task<(int Code, string Output)> RunAsync(TemporaryFolder folder, string[] arguments)
    {
        using var program = RunningProgram.Start(folder.Path, ["dotnet", .. arguments], ("TMPDIR", folder.Path));
        var ended = await program.EndAsync();
        return (ended.Code, ended.Errors + ended.Output);
    }
}
