using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>What a process without a worker of its own sees of others on the same file.</summary>
public sealed class InspectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_worker_whose_process_was_killed_is_not_live_and_what_it_knew_is_unclaimed()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await using var worker = DummyProcess.Start("work", path);
        await worker.PrintsAsync(line => line == "ready", "ready");
        await queue.EnqueueAsync(new Hang(), new EnqueueOptions { Queue = "unserved" }, Token);
        var alive = await backend.GetOverviewAsync(Token);
        Assert.Equal((1, 0), (alive.LiveWorkers, alive.Unclaimed.Count));

        await worker.KillAsync();

        var dead = await backend.GetOverviewAsync(Token);
        Assert.Equal(0, dead.LiveWorkers);
        Assert.Equal([new UnclaimedTasks("hang", 1)], dead.Unclaimed);
    }
}
