namespace Errand.Contract;

/// <summary>Pausing: a paused queue starts nothing until it is resumed.</summary>
public abstract class PauseContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task Paused_queues_are_told_by_name_until_they_are_resumed()
    {
        var backend = Live();
        var inspector = InspectorOf(backend);
        await AddAsync(backend);
        Assert.Empty((await LookAsync(backend)).PausedQueues);
        Assert.True(await inspector.PauseAsync("mail", Token));
        Assert.True(await inspector.PauseAsync(Defaults.Queue, Token));
        Assert.False(await inspector.PauseAsync("mail", Token));
        Assert.Equal([Defaults.Queue, "mail"], (await LookAsync(backend)).PausedQueues);

        Assert.True(await inspector.ResumeAsync("mail", Token));

        Assert.False(await inspector.ResumeAsync("mail", Token));
        Assert.Equal([Defaults.Queue], (await LookAsync(backend)).PausedQueues);
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
