using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class EfCoreTests
{
    [Fact]
    public async Task Orders_and_their_tasks_are_saved_together()
    {
        using var folder = new TemporaryFolder();
        var ended = await RunningProgram.RunAsync(folder.Path, "dotnet", Path.Join(Repository.Built("EfCore"), "EfCore.dll"), "shop.db");
        Assert.Equal(
            (0, """
                A lamp: ordered and confirmed.
                No order for a lamp that is sold out. Neither order nor task.
                1 orders, 1 confirmations.

                """, ""),
            (ended.Code, ended.Output, ended.Errors));
    }
}
