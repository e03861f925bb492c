using System.Text.RegularExpressions;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>
/// The program of a page, pasted into a file outside the repository, with the two lines that the page has for that. One page stands for
/// all: they say the same, and what their programs print is tested elsewhere.
/// </summary>
public sealed partial class PageTests(PackedPackages packed) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task I_can_paste_the_program_of_a_page_and_run_it_with_the_packages()
    {
        var page = Parts().Match(await File.ReadAllTextAsync(
            Path.Combine(RepositoryRoot.Path, "docs/queues.md"), TestContext.Current.CancellationToken));
        await packed.UseInAsync(_folder);
        await File.WriteAllTextAsync(
            _folder.File("page.cs"), string.Join('\n', [.. page.Groups["line"].Captures.Select(line => line.Value), page.Groups["program"].Value]),
            TestContext.Current.CancellationToken);

        // Its words go to files: a build that stays in the background would hold a pipe open.
        using var program = RunningProgram.Start(
            _folder.Path, ["bash", "-c", "exec dotnet run page.cs > output 2> errors"], ("MSBUILDDISABLENODEREUSE", "1"),
            ("DOTNET_CLI_USE_MSBUILD_SERVER", "0"), ("UseSharedCompilation", "false"), ("DOTNET_NOLOGO", "1"));
        var ended = await program.EndAsync();

        Assert.Equal((0, page.Groups["output"].Value, ""), (ended.Code, await ReadAsync("output"), await ReadAsync("errors")));
    }

    private Task<string> ReadAsync(string name) => File.ReadAllTextAsync(_folder.File(name));

    [GeneratedRegex(
        "^```csharp\n#:project [^\n]+\n(?<program>.*?)^```.*?(`(?<line>#:[^`]+)`[^`]+)+```text\n(?<output>.*?)^```",
        RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Parts();
}
