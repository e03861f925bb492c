using Errand.TestKit;

namespace Errand.Tests;

/// <summary>Short runs of the torture program.</summary>
public sealed class TortureTests
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "Errand.Torture.dll");

    [Theory]
    [InlineData("--backend", "sqlite", "--durability", "full")]
    [InlineData("--backend", "sqlite", "--durability", "relaxed")]
    [InlineData("--backend", "memory")]
    public async Task A_short_run_is_ok(params string[] options)
    {
        using var folder = new TemporaryFolder();
        var output = "";
        for (var seed = 1; seed <= 4; seed++)
        {
            (var code, output) = await TortureProgram.RunAsync(folder, [Program, "run", .. options, "--seconds", "12", "--seed", $"{seed}"]);
            if (code != 0 && output.Contains("It has tested nothing.", StringComparison.Ordinal))
            {
                continue; // So short a run on a busy machine may meet too little: the next is another.
            }

            Assert.True(code == 0, output);
            Assert.StartsWith("verdict=ok lost=0 ", output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
            return;
        }

        Assert.Fail(output);
    }
}
