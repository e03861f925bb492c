using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Real processes that are stopped or starved rather than killed: alive to the system, and perhaps not to us.</summary>
public sealed class LeaseTests : IDisposable
{
    private const string Lease = "1000";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_process_stopped_beyond_its_lease_and_continued_changes_nothing_that_is_no_longer_its_own()
    {
        var path = _folder.File("tasks.db");
        var mayEnd = _folder.File("may-end");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new UntilFile(mayEnd), null, Token);
        await using var first = DummyProcess.Start("work", path, Lease);
        await first.PrintsAsync(line => line == $"until {handle.Id} 1 1", "that the task has started");

        await StopOutsideATransactionAsync(first, queue);
        await using var second = DummyProcess.Start("work", path, Lease);
        await second.PrintsAsync(line => line == $"until {handle.Id} 2 2", "that it has taken the task over");
        await File.WriteAllTextAsync(mayEnd, "", Token);
        Assert.Equal(2, await handle.WaitAsync(Eventually.Bound, Token));
        await first.ContinueAsync();

        await first.PrintsAsync(line => line.StartsWith("log 202 ", StringComparison.Ordinal), "that its outcome was dropped");
        Assert.Equal(2, await handle.WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task A_process_stopped_beyond_its_lease_cancels_its_handlers_tokens_and_begins_anew()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Hang(), null, Token);
        await using var first = DummyProcess.Start("work", path, Lease);
        await first.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");

        await StopOutsideATransactionAsync(first, queue);
        await using var second = DummyProcess.Start("work", path, Lease);
        await second.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that it has taken the task over");
        await first.ContinueAsync();

        await first.PrintsAsync(line => line == $"told {handle.Id} 1", "that its handler was told");
        await second.KillAsync();
        await first.PrintsAsync(line => line == $"hang {handle.Id} 3 3", "that it goes on with the task in a new incarnation");
    }

    [Fact]
    public async Task A_process_stopped_for_less_than_its_lease_keeps_its_task()
    {
        var path = _folder.File("tasks.db");
        var mayEnd = _folder.File("may-end");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new UntilFile(mayEnd), null, Token);
        await using var first = DummyProcess.Start("work", path, "60000");
        await first.PrintsAsync(line => line == $"until {handle.Id} 1 1", "that the task has started");
        await using var second = DummyProcess.Start("work", path, "60000");
        await second.PrintsAsync(line => line == "ready", "ready");

        await StopOutsideATransactionAsync(first, queue);
        await second.PrintsAsync(line => line.StartsWith("note ", StringComparison.Ordinal), "that it runs what is new");
        await first.ContinueAsync();
        await File.WriteAllTextAsync(mayEnd, "", Token);

        Assert.Equal(1, await handle.WaitAsync(Eventually.Bound, Token));
        Assert.DoesNotContain(second.Lines, line => line.StartsWith("until", StringComparison.Ordinal));
    }

    /// <summary>One that is stopped amid a transaction holds the file, and nobody can write: it is let go on, and stopped again.</summary>
    private static async Task StopOutsideATransactionAsync(DummyProcess process, TaskQueue queue)
    {
        for (var tries = 1; ; tries++)
        {
            await process.StopAsync();
            try
            {
                await queue.EnqueueAsync(new Note(1), null, Token);
                return;
            }
            catch (BackendBusyException) when (tries < 5)
            {
                await process.ContinueAsync();
            }
        }
    }

    [Fact]
    public async Task Handlers_that_block_the_whole_thread_pool_cost_their_worker_no_lease()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Starve(7_000), null, Token);
        await using var first = DummyProcess.Start("work", path, "2000");
        await first.PrintsAsync(line => line == $"starve {handle.Id} 1 1", "that the task has started");
        await using var second = DummyProcess.Start("work", path, "2000");
        await second.PrintsAsync(line => line == "ready", "ready");

        await handle.WaitAsync(Eventually.Bound, Token);

        var result = await queue.GetResultAsync(handle.Id, cancellationToken: Token);
        Assert.Equal((TaskState.Succeeded, 1), (result!.State, result.Attempts));
        Assert.DoesNotContain(second.Lines, line => line.StartsWith("starve", StringComparison.Ordinal));
    }
}
