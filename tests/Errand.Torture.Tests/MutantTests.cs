using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The torture program catches every queue that lacks a guard.</summary>
public sealed class MutantTests
{
    public static TheoryData<string> Mutants => [.. Mutant.All.Select(mutant => mutant.Name)];

    [Theory]
    [MemberData(nameof(Mutants))]
    public async Task A_queue_with_a_guard_switched_off_is_caught(string name)
    {
        using var folder = new TemporaryFolder();
        var mutant = Mutant.All.Single(mutant => mutant.Name == name);
        mutant.WriteTo(folder.Path);
        var (built, messages) = await TortureProgram.RunAsync(
            folder,
            [
                "build", Path.Combine(folder.Path, "tests/Errand.Torture"), "-c", "Release", "-o", folder.File("built"),
                "-p:RunAnalyzers=false", "-nodeReuse:false", "-v:quiet",
            ]);
        Assert.True(built == 0, messages);

        var (code, output) = (0, ""); // What it takes to go wrong is chance: nearly always, the first run meets it.
        for (var seed = 1; seed <= 3 && (code == 0 || HasTestedNothing(output)); seed++)
        {
            (code, output) = await TortureProgram.RunAsync(
                folder, [
                    folder.File("built/Errand.Torture.dll"), "run", "--backend", mutant.Backend, "--seconds", $"{mutant.Seconds}",
                    "--seed", $"{seed}",
                ]);
        }

        Assert.True(code == 1 && !HasTestedNothing(output), output);
        Assert.StartsWith("verdict=broken ", output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
    }

    /// <summary>Broken, but not by the queue.</summary>
    private static bool HasTestedNothing(string output) => output.Contains("It has tested nothing", StringComparison.Ordinal);
}
