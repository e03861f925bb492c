using System.Text.RegularExpressions;
using Errand.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Errand.Tests;

/// <summary>
/// Every C# example of the README and of the pages under docs compiles against the packages as they are. An example is a program of
/// its own, with what <c>Preludes/Common.cs</c> and the page's own prelude take for granted.
/// </summary>
public sealed partial class ExamplesTests
{
    private static readonly string Root = RepositoryRoot.Path;

    internal static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(file => MetadataReference.CreateFromFile(file)),
    ];

    public static TheoryData<string> Pages =>
    [
        "README.md",
        .. Directory.GetFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Root, file)).Where(file => ExamplesOf(file).Count > 0).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_example_compiles(string page)
    {
        var problems = ExamplesOf(page).SelectMany((example, i) => Problems(page, example).Select(problem => $"example {i + 1}: {problem}"));
        Assert.Empty(problems);
    }

    private static List<string> ExamplesOf(string page) =>
        [.. Fences().Matches(File.ReadAllText(Path.Combine(Root, page))).Select(match => match.Groups["example"].Value)];

    private static IEnumerable<string> Problems(string page, string example)
    {
        var options = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Preview);
        var program = CSharpSyntaxTree.ParseText(Undirected(example), options);
        var root = program.GetCompilationUnitRoot();

        // An example of members, as of a class or a test, is one inside a class.
        if (root.Members.OfType<GlobalStatementSyntax>().Any(one => one.Statement is LocalFunctionStatementSyntax { Modifiers.Count: > 0 } local
            && local.Modifiers.Any(modifier => modifier.IsKind(SyntaxKind.PublicKeyword))))
        {
            program = CSharpSyntaxTree.ParseText($"public sealed class Example {{ {example} }}", options);
            root = program.GetCompilationUnitRoot();
        }

        var kind = root.Members.OfType<GlobalStatementSyntax>().Any() ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary;
        SyntaxTree[] preludes = [.. new[] { "Common", Path.GetFileNameWithoutExtension(page) }
            .Select(name => Path.Combine(Root, "tests/Errand.Docs.Tests/Preludes", name + ".cs")).Where(File.Exists)
            .Select(file => CSharpSyntaxTree.ParseText(WithoutWhatIsThere(File.ReadAllText(file), root), options))];
        return CSharpCompilation.Create(
                "example", [.. preludes, program], References, new CSharpCompilationOptions(kind, nullableContextOptions: NullableContextOptions.Enable))
            .GetDiagnostics().Where(one => one.Severity == DiagnosticSeverity.Error && one.Location.SourceTree is not null)
            .Select(one => $"{one.Location.GetLineSpan().StartLinePosition.Line + 1}: {one.GetMessage()}");
    }

    /// <summary>A type that the example declares itself is not taken for granted.</summary>
    private static string WithoutWhatIsThere(string prelude, CompilationUnitSyntax example)
    {
        var declared = example.Members.OfType<BaseTypeDeclarationSyntax>().Select(type => type.Identifier.Text).ToHashSet();
        return string.Join('\n', prelude.Split('\n').Where(line => !declared.Any(name =>
            Regex.IsMatch(line, $@"^public .*\b(record|class|interface) {name}\b", RegexOptions.None, TimeSpan.FromSeconds(1)))));
    }

    /// <summary>Directives of file-based programs are the command line's.</summary>
    private static string Undirected(string example) =>
        string.Join('\n', example.Split('\n').Select(line => line.StartsWith("#:", StringComparison.Ordinal) ? "" : line));

    [GeneratedRegex("^```csharp\n(?<example>.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Fences();
}
