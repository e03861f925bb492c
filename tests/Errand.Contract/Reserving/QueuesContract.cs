namespace Errand.Contract;

/// <summary>Several queues of one worker: weights and patterns, and no queue starves.</summary>
public abstract class QueuesContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
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
    public async Task No_queue_starves_another_of_the_same_worker()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        for (var i = 0; i < 20; i++)
        {
            await AddAsync(backend, Task1(queue: "one"));
            await AddAsync(backend, Task1(queue: "two"));
        }

        var taken = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            taken.AddRange((await TakeAsync(backend, owner, 1, "one", "two")).Select(task => task.Queue));
        }

        Assert.InRange(taken.Count(queue => queue == "one"), 5, 15);
    }
}
