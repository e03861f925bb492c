using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class TestingTests
{
    [Fact]
    public async Task The_tests_of_the_sample_pass()
    {
        using var folder = new TemporaryFolder();
        var ended = await RunningProgram.RunAsync(folder.Path, "dotnet", Path.Join(Repository.Built("Testing"), "Testing.dll"));
        Assert.True(ended.Code == 0, ended.Output + ended.Errors);
        Assert.Contains("succeeded: 3", ended.Output, StringComparison.Ordinal);
    }
}
