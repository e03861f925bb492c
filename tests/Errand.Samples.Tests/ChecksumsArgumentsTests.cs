using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class ChecksumsArgumentsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("There is no option '--bd'.", "--bd", "x")]
    [InlineData("There is no option ''.", "")]
    [InlineData("There is more than one folder.", "a", "b")]
    [InlineData("--db needs a file.", ".", "--db")]
    [InlineData("--out needs a file.", ".", "--out", "")]
    [InlineData("--db and --out are the same file.", ".", "--db", "x", "--out", "./x")]
    public async Task Bad_arguments_are_answered_with_the_usage(string message, params string[] arguments)
    {
        var ended = await RunAsync(arguments);

        Assert.Equal((2, ""), (ended.Code, ended.Output));
        Assert.StartsWith($"{message}\n\nUsage: checksums [<folder>]", ended.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("There is no folder 'gone\\x0a'.\n", "gone\n")]
    [InlineData("There is no folder 'file'.\n", "file")]
    [InlineData("'gone/x' cannot be written: it is a folder, or its folder does not exist.\n", ".", "--out", "gone/x")]
    [InlineData("'/' cannot be written: it is a folder, or its folder does not exist.\n", ".", "--out", "/")]
    public async Task A_path_that_cannot_be_used_is_named(string message, params string[] arguments)
    {
        await File.WriteAllTextAsync(_folder.File("file"), "");

        var ended = await RunAsync(arguments);

        Assert.Equal((2, "", message), (ended.Code, ended.Output, ended.Errors));
    }

    [Theory]
    [InlineData("gone/tasks.db")]
    [InlineData("/")]
    [InlineData("file")]
    public async Task A_database_that_cannot_be_used_is_named(string database)
    {
        await File.WriteAllTextAsync(_folder.File("file"), "of mine");

        var ended = await RunAsync(".", "--db", database);

        Assert.Equal(2, ended.Code);
        Assert.Contains(database, ended.Errors, StringComparison.Ordinal);
        Assert.Single(ended.Errors.TrimEnd().Split('\n'));
        Assert.Equal("of mine", await File.ReadAllTextAsync(_folder.File("file")));
    }

    [Fact]
    public async Task Help_is_not_an_error()
    {
        var ended = await RunAsync("--help");

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        Assert.StartsWith("Usage: checksums", ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_arguments_it_hashes_the_repository_and_keeps_its_tasks_among_the_temporary_files()
    {
        var inner = Directory.CreateDirectory(_folder.File("repository/inner")).FullName;
        var temporary = Directory.CreateDirectory(_folder.File("temporary")).FullName;
        await File.WriteAllTextAsync(_folder.File("repository/Errand.slnx"), "");
        await File.WriteAllTextAsync(_folder.File("repository/inner/file"), "");

        for (var run = 0; run < 2; run++)
        {
            using var program = RunningProgram.Start(inner, Command(), ("TMPDIR", temporary));
            var ended = await program.EndAsync();

            Assert.Equal((0, ""), (ended.Code, ended.Errors));
            var database = Assert.Single(Directory.GetFiles(temporary, "errand-checksums-*"));
            Assert.Contains($"Database: {database}\n", ended.Output, StringComparison.Ordinal);
            const string ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            Assert.Equal(
                $"{ofNothing}  ../Errand.slnx\n{ofNothing}  ../inner/file\n",
                await File.ReadAllTextAsync(Path.Join(inner, "checksums.sha256")));
        }
    }

    public void Dispose() => _folder.Dispose();

    private static string[] Command(params string[] arguments) =>
        ["dotnet", Path.Join(Repository.Checksums, "Checksums.dll"), .. arguments];

    private Task<Ended> RunAsync(params string[] arguments) =>
        RunningProgram.RunAsync(_folder.Path, Command(arguments));
}
