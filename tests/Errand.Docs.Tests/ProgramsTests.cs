using System.Text.RegularExpressions;
using Errand.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Errand.Tests;

/// <summary>
/// The page of a feature begins with a program, which is also a sample, word for word, and says what that prints. Here it is compiled as
/// the command line compiles a program of one file, and run as a process of its own; that <c>dotnet run</c> does the same is tested with
/// <c>samples/hello.cs</c>.
/// </summary>
public sealed partial class ProgramsTests
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly string Root = RepositoryRoot.Path;

    public static TheoryData<string> Pages =>
    [
        .. Directory.GetFiles(Path.Combine(Root, "samples"), "*.cs").Select(file => Path.GetFileNameWithoutExtension(file))
            .Where(name => name != "hello").Order(StringComparer.Ordinal), // Hello's is the README, with more words.
    ];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_begins_with_its_sample_and_how_to_run_it(string page)
    {
        var text = File.ReadAllText(Path.Combine(Root, "docs", page + ".md"));
        var parts = Beginning().Match(text);

        Assert.True(parts.Success, "A page begins with words, a program, how to run it, and what it prints.");
        Assert.Equal(Sample(page), parts.Groups["program"].Value);
        Assert.Equal(
            $"""
            `dotnet run samples/{page}.cs` prints what follows. Outside this repository two lines take the place of the program's first:
            `#:package Errand@*` and `#:property PublishAot=false`.

            """,
            parts.Groups["how"].Value);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task A_program_prints_what_its_page_says(string page)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Root, "docs", page + ".md"), TestContext.Current.CancellationToken);
        var program = Path.Combine(AppContext.BaseDirectory, $"page.{page}.dll"); // Beside what it needs.
        Compile(page, program);

        var own = Path.Combine(AppContext.BaseDirectory, "Errand.Docs.Tests");
        var ended = await RunningProgram.RunAsync(
            Path.GetTempPath(), "dotnet", "exec", "--depsfile", $"{own}.deps.json", "--runtimeconfig", $"{own}.runtimeconfig.json", program);

        Assert.Equal((0, Beginning().Match(text).Groups["output"].Value, ""), (ended.Code, ended.Output, ended.Errors));
    }

    private static string Sample(string page) => File.ReadAllText(Path.Combine(Root, "samples", page + ".cs"));

    private static void Compile(string page, string program)
    {
        var text = string.Join('\n', Sample(page).Split('\n').Where(line => !line.StartsWith("#:", StringComparison.Ordinal)));
        var options = new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable);
        var result = CSharpCompilation
            .Create(
                Path.GetFileNameWithoutExtension(program), [CSharpSyntaxTree.ParseText(ImplicitUsings), CSharpSyntaxTree.ParseText(text)],
                ExamplesTests.References, options)
            .Emit(program);
        Assert.Empty(result.Diagnostics.Where(one => one.Severity >= DiagnosticSeverity.Warning).Select(one => one.ToString()));
    }

    [GeneratedRegex(
        "\\A# [^\n]+\n\n[^`]+(`[^`\n]+`[^`]+)*\n\n```csharp\n(?<program>.*?)^```\n\n(?<how>.*?)\n```text\n(?<output>.*?)^```",
        RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Beginning();
}
