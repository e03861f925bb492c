namespace Errand.Contract;

public abstract partial class BackendContract
{
    protected static ReserveRequest From(WorkerId owner, params QueueSubscription[] queues) =>
        new() { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero, Queues = queues };

    private static async Task<List<string>> QueuesTakenAsync(IBackend backend, int times, ReserveRequest request)
    {
        List<string> taken = [];
        for (var i = 0; i < times; i++)
        {
            taken.AddRange((await backend.ReserveAsync(request, Token)).Select(task => task.Queue));
        }

        return taken;
    }

    private static async Task AddToEachAsync(IBackend backend, int count, params string[] queues) =>
        await backend.EnqueueAsync(
            [.. Enumerable.Range(0, count).SelectMany(_ => queues).Select(queue => Task1(queue: queue))], Token);

    [Fact]
    public async Task Queues_that_all_have_tasks_are_served_by_their_weights()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddToEachAsync(backend, 60, "heavy", "middle", "light");

        var taken = await QueuesTakenAsync(
            backend, 60, From(owner, new("light"), new("heavy", 3), new("middle", 2)));

        Assert.Equal(60, taken.Count);
        Assert.InRange(taken.Count(queue => queue == "heavy"), 28, 32);
        Assert.InRange(taken.Count(queue => queue == "middle"), 18, 22);
        Assert.InRange(taken.Count(queue => queue == "light"), 8, 12);
    }

    [Fact]
    public async Task A_weight_costs_nobody_a_slot_while_the_heavy_queue_is_empty()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddToEachAsync(backend, 20, "light");

        var taken = await QueuesTakenAsync(backend, 20, From(owner, new("heavy", 100), new("light")));

        Assert.Equal(20, taken.Count);
    }

    [Fact]
    public async Task A_pattern_takes_from_every_queue_that_it_matches_and_from_no_other()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddToEachAsync(backend, 2, "mail", "mail-fast", "mail-slow", "post");

        Assert.Equal(
            ["mail-fast", "mail-fast", "mail-slow", "mail-slow"],
            (await QueuesTakenAsync(backend, 10, From(owner, "mail-*"))).Order(StringComparer.Ordinal));
        Assert.Equal(
            ["mail", "mail", "post", "post"],
            (await QueuesTakenAsync(backend, 10, From(owner, "*"))).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task No_queue_of_a_pattern_starves_another()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddToEachAsync(backend, 30, "mail-a", "mail-b", "mail-c");

        var taken = await QueuesTakenAsync(backend, 30, From(owner, "mail-*"));

        Assert.All(["mail-a", "mail-b", "mail-c"], queue => Assert.InRange(taken.Count(one => one == queue), 5, 15));
    }

    [Fact]
    public async Task A_worker_that_waits_by_a_pattern_is_given_a_task_of_a_queue_that_nobody_knew()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(From(owner, "new-*") with { Wait = TimeSpan.FromSeconds(30) }, Token).AsTask();
        await backend.InitializeAsync(Token);

        var id = await AddAsync(backend, Task1(queue: "new-born"));

        Assert.Equal((id, "new-born"), Assert.Single(await waiting) is var task ? (task.Lease.Id, task.Queue) : default);
    }

    [Fact]
    public async Task A_paused_queue_gives_nothing_until_it_is_resumed()
    {
        var backend = Live();
        var inspector = backend.Control<IQueueInspector>()!;
        var owner = await BeginAsync(backend);
        var before = await AddAsync(backend);
        Assert.True(await inspector.PauseAsync(Defaults.Queue, Token));
        Assert.False(await inspector.PauseAsync(Defaults.Queue, Token));
        var after = await AddAsync(backend);
        var other = await AddAsync(backend, Task1(queue: "other"));

        Assert.Equal(other, Assert.Single(await TakeAsync(backend, owner, 10, Defaults.Queue, "other")).Lease.Id);
        Assert.Empty(await backend.ReserveAsync(From(owner, "*"), Token));
        Assert.Equal([Defaults.Queue], (await inspector.GetOverviewAsync(Token)).PausedQueues);

        Assert.True(await inspector.ResumeAsync(Defaults.Queue, Token));
        Assert.False(await inspector.ResumeAsync(Defaults.Queue, Token));
        Assert.Equal([before, after], (await TakeAsync(backend, owner)).Select(task => task.Lease.Id));
        Assert.Empty((await inspector.GetOverviewAsync(Token)).PausedQueues);
    }

    [Fact]
    public async Task A_waiting_worker_is_not_handed_a_task_of_a_paused_queue_and_gets_it_when_it_is_resumed()
    {
        var backend = Live();
        var inspector = backend.Control<IQueueInspector>()!;
        var owner = await BeginAsync(backend);
        Assert.True(await inspector.PauseAsync(Defaults.Queue, Token));
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        var id = await AddAsync(backend);
        await backend.InitializeAsync(Token);
        Assert.False(waiting.IsCompleted);

        Assert.True(await inspector.ResumeAsync(Defaults.Queue, Token));

        Assert.Equal(id, Assert.Single(await waiting).Lease.Id);
    }

    [Fact]
    public async Task What_runs_when_its_queue_is_paused_goes_on()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);

        Assert.True(await backend.Control<IQueueInspector>()!.PauseAsync(Defaults.Queue, Token));

        Assert.True(await backend.MarkSuccessAsync(task.Lease, default, Token));
        Assert.Equal(TaskState.Succeeded, (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.State);
    }

    [Theory]
    [InlineData("")]
    [InlineData("mail-*")]
    [InlineData("a b")]
    [InlineData("'; drop table tasks; --")]
    [InlineData("a\0b")]
    public async Task What_is_no_name_of_a_queue_cannot_be_paused(string queue)
    {
        var inspector = Live().Control<IQueueInspector>()!;

        Assert.Contains("allowed are", (await Assert.ThrowsAsync<ArgumentException>(
            () => inspector.PauseAsync(queue, Token).AsTask())).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => inspector.ResumeAsync(queue, Token).AsTask());
    }
}
