using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class HelloTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Hello_greets()
    {
        // Its words go to files: a compiler or a build that stays in the background would hold a pipe open.
        const string script = "exec dotnet run samples/hello.cs > \"$0/output\" 2> \"$0/errors\"";
        string[] command = ["bash", "-c", script, _folder.Path];
        using var program = RunningProgram.Start(
            Repository.Root, command, ("MSBUILDDISABLENODEREUSE", "1"), ("DOTNET_CLI_USE_MSBUILD_SERVER", "0"),
            ("UseSharedCompilation", "false"), ("DOTNET_NOLOGO", "1"));
        var ended = await program.EndAsync();

        Assert.Equal(
            (0, "Hello, Ada\n", ""),
            (ended.Code, await ReadAsync("output"), await ReadAsync("errors")));
    }

    public void Dispose() => _folder.Dispose();

    private Task<string> ReadAsync(string name) =>
        File.ReadAllTextAsync(_folder.File(name));
}
