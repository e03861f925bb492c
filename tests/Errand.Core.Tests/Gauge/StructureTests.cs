using System.Text.RegularExpressions;
using Errand.TestKit;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Errand.Tests.Gauge;

/// <summary>
/// The gauge: what keeps the engines from growing into one room again. Each test prints its numbers (run it with
/// <c>--output Detailed --show-live-output on</c>).
/// </summary>
public sealed partial class StructureTests(ITestOutputHelper output)
{
    private const int LargestCycle = 3;

    private static readonly string Source = Path.Combine(RepositoryRoot.Path, "src");

    public static TheoryData<string> Projects =>
    [
        .. Directory.GetDirectories(Source).Select(folder => Path.GetFileName(folder)!)
            .Where(name => name != "Errand").Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Projects))]
    public void No_more_than_three_files_of_a_project_need_one_another(string project)
    {
        var source = new SourceProject(project);
        var references = source.FileReferences();
        var cycles = Cycles.Of(references);
        var (type, fields, files, lines) = source.LargestType();
        output.WriteLine(
            $"{project}: {references.Count} files, {references.Sum(file => file.Value.Count)} references between them, "
            + $"largest cycle {cycles.FirstOrDefault()?.Length ?? 1}; largest type {type} ({fields} fields, {files} files, {lines} lines)");
        Assert.All(cycles, cycle => Assert.True(cycle.Length <= LargestCycle, string.Join(", ", cycle)));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void No_field_is_written_outside_its_own_type(string project)
    {
        var writes = new SourceProject(project).WritesFromOutside().ToList();
        output.WriteLine($"{project}: {writes.Count} writes from outside");
        Assert.Empty(writes);
    }

    [Theory]
    [InlineData("Errand.Sqlite")]
    [InlineData("Errand.PostgreSql")]
    public void A_live_task_is_deleted_by_one_statement(string project)
    {
        var found = Directory.GetFiles(Path.Combine(Source, project), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => DeleteTask().Matches(File.ReadAllText(file)).Select(_ => Path.GetFileName(file))).ToList();
        output.WriteLine($"{project}: {string.Join(", ", found)}");
        Assert.Equal("Turn.cs", Assert.Single(found));
    }

    [GeneratedRegex(@"delete\s+from\s+(errand\.)?errand_tasks", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex DeleteTask();
}
