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

    [Theory]
    [InlineData(":memory:")]
    [InlineData("tasks.db")]
    public async Task A_page_of_a_rare_filter_looks_at_so_many_tasks_and_says_where_it_goes_on(string store)
    {
        await using var backend = new SqliteBackend(store == ":memory:" ? store : _folder.File(store));
        var rare = new NewTask { Name = "rare", Queue = "rare", Payload = default };
        var first = (await backend.EnqueueAsync([rare], Token))[0].Id;
        var common = Enumerable.Repeat(rare with { Name = "common" }, TaskPage.LookedAt / 4).ToArray();
        var second = (await backend.EnqueueAsync(common, Token))[0].Id;
        for (var i = 1; i < 4; i++)
        {
            await backend.EnqueueAsync(common, Token);
        }

        var filter = new TaskFilter { Name = "rare" };
        var page = await backend.ListAsync(filter, cancellationToken: Token);
        Assert.Equal((0, second), (page.Tasks.Count, page.Next));
        page = await backend.ListAsync(filter, before: page.Next, cancellationToken: Token);
        Assert.Equal(first, Assert.Single(page.Tasks).Id);
        Assert.Null(page.Next);
    }

    [Fact]
    public async Task A_page_that_looks_for_a_text_looks_into_so_many_errors_and_says_where_it_goes_on()
    {
        await using var backend = new SqliteBackend(":memory:");
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        var task = new NewTask { Name = "note", Payload = default };
        await backend.EnqueueAsync([.. Enumerable.Repeat(task, 4_100)], Token);
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 4_100 }, Token);
        await Task.WhenAll(taken.Select((one, i) =>
            backend.MarkFailureAsync(one.Lease, new TaskFailure(i == 0 ? "rare" : "common", null), Token).AsTask()));

        List<int> pages = [];
        TaskPage page = new([], long.MaxValue);
        while (page.Next is not null)
        {
            page = await backend.ListAsync(new TaskFilter { ErrorContains = "rare" }, before: page.Next, cancellationToken: Token);
            pages.Add(page.Tasks.Count);
        }

        Assert.Equal([0, 0, 1], pages);
        Assert.Equal(1, await backend.RetryAsync(new TaskFilter { ErrorContains = "rare" }, Token));
    }

    [Fact]
    public async Task Looking_for_a_name_that_nobody_has_makes_it_no_name()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await backend.EnqueueAsync([new NewTask { Name = "note", Payload = default }], Token);
        await backend.ListAsync(new TaskFilter { Queue = "nobody", Name = "nobody" }, cancellationToken: Token);
        await backend.RetryAsync(new TaskFilter { Queue = "nobody" }, Token);
        Assert.Equal(2L, FileTests.Scalar(backend.Path, "select count(*) from errand_names"));
    }

    [Fact]
    public async Task Who_waits_in_another_process_for_a_task_that_is_deleted_learns_it()
    {
        var path = _folder.File("tasks.db");
        await using var waits = new SqliteBackend(path);
        await using var deletes = new SqliteBackend(path);
        var id = (await deletes.EnqueueAsync([new NewTask { Name = "note", Payload = default }], Token))[0].Id;
        var waiting = waits.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token).AsTask();
        await waits.InitializeAsync(Token);
        Assert.True(await deletes.DeleteAsync(id, Token));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => waiting.WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task A_retry_wakes_a_worker_of_another_process()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["hang"] }, Token);
        var id = (await queue.EnqueueAsync(new Hang(), null, Token)).Id;
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token);
        await backend.MarkFailureAsync(taken[0].Lease, new TaskFailure("no", null), Token);
        await using var worker = DummyProcess.Start("work", path);
        await worker.PrintsAsync(line => line == "ready", "ready");

        Assert.True(await backend.RetryAsync(id, Token));

        await worker.PrintsAsync(line => line == $"hang {id} 1 2", "that the task runs again: attempt 1, epoch 2");
    }
}
