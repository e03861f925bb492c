namespace Errand.Contract;

/// <summary>The overview: counts, live workers, the oldest waiting task, and names that no live worker knows.</summary>
public abstract class OverviewContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private static UnclaimedTasks Unclaimed(string name, long tasks) => new() { Name = name, Tasks = tasks };

    [Fact]
    public async Task An_empty_store_has_nothing_to_tell()
    {
        var overview = await LookAsync(Live());
        Assert.Equal((0, 0, null, 0), (overview.Counts.Count, overview.LiveWorkers, overview.OldestWaiting, overview.Unclaimed.Count));
    }

    [Fact]
    public async Task Tasks_are_counted_by_queue_and_state()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddManyAsync(backend, 4);
        await AddAsync(backend, Task1(queue: "mail"));
        await AddAsync(backend, Task1(queue: "mail") with { Delay = TimeSpan.FromDays(1) });
        var taken = await TakeAsync(backend, owner, 3);
        await backend.MarkSuccessAsync(taken[0].Lease, default, Token);
        await backend.MarkFailureAsync(taken[1].Lease, "broken", null, Token);

        var overview = await LookAsync(backend);

        Assert.Equal(
            [
                new QueueCount { Queue = "default", State = TaskState.Pending, Tasks = 1 },
                new QueueCount { Queue = "default", State = TaskState.Running, Tasks = 1 },
                new QueueCount { Queue = "default", State = TaskState.Succeeded, Tasks = 1 },
                new QueueCount { Queue = "default", State = TaskState.Failed, Tasks = 1 },
                new QueueCount { Queue = "mail", State = TaskState.Pending, Tasks = 1 },
                new QueueCount { Queue = "mail", State = TaskState.Scheduled, Tasks = 1 },
            ],
            overview.Counts);
        Assert.Equal(2, overview.Count(TaskState.Pending));
    }

    [Fact]
    public async Task The_oldest_waiting_task_is_the_one_that_has_been_due_longest()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        await AddAsync(backend, Task1() with { Delay = TimeSpan.FromSeconds(2) });
        await AddAsync(backend, Task1() with { Delay = TimeSpan.FromDays(1) });
        Assert.Null((await LookAsync(backend)).OldestWaiting);

        Clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(TimeSpan.FromSeconds(1), (await LookAsync(backend)).OldestWaiting); // Nobody has asked for it yet.
        await AddAsync(backend);
        var taken = await TakeOneAsync(backend, owner);
        Clock.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(4), (await LookAsync(backend)).OldestWaiting); // Running tasks do not wait.

        await backend.ReleaseAsync(taken.Lease, Token);
        Assert.Equal(TimeSpan.FromSeconds(5), (await LookAsync(backend)).OldestWaiting);
    }

    [Fact]
    public async Task Names_that_no_live_worker_knows_are_told_with_how_many_wait()
    {
        var backend = Live();
        await AddAsync(backend, Task1("a"));
        await AddAsync(backend, Task1("x"));
        await AddAsync(backend, Task1("x", queue: "mail"));
        await AddAsync(backend, Task1("y"));
        await AddAsync(backend, Task1("z") with { Delay = TimeSpan.FromDays(1) });
        Assert.Equal([Unclaimed("x", 2), Unclaimed("a", 1), Unclaimed("y", 1)], (await LookAsync(backend)).Unclaimed);

        var owner = await BeginAsync(backend);
        Assert.Equal([Unclaimed("x", 2), Unclaimed("y", 1)], (await LookAsync(backend)).Unclaimed);

        Assert.Single(await TakeAsync(backend, owner, 10, "mail", Defaults.Queue)); // What it does not know is parked.
        Assert.Equal([Unclaimed("x", 2), Unclaimed("y", 1)], (await LookAsync(backend)).Unclaimed);
        await BeginAsync(backend, null, "x", "y");
        Assert.Empty((await LookAsync(backend)).Unclaimed);
    }

    [Fact]
    public async Task A_worker_is_live_from_its_begin_to_its_end_or_until_its_lease_has_run_out()
    {
        var backend = Timed();
        var ends = await BeginAsync(backend, Lease);
        var leaves = await BeginAsync(backend, Lease);
        Assert.Equal(2, (await LookAsync(backend)).LiveWorkers);

        await backend.EndWorkerAsync(ends, release: true, Token);
        Assert.Equal(1, (await LookAsync(backend)).LiveWorkers);
        await LeaveAsync(backend, leaves);
        Assert.Equal(1, (await LookAsync(backend)).LiveWorkers);
        Clock.Advance(Lease - TimeSpan.FromSeconds(1));
        Assert.Equal(1, (await LookAsync(backend)).LiveWorkers);
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, (await LookAsync(backend)).LiveWorkers);
    }

    [Fact]
    public async Task An_overview_changes_nothing()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddManyAsync(backend, 3);
        await LookAsync(backend);
        Assert.Equal(ids, (await TakeAsync(backend, owner)).Select(task => task.Lease.Id));
    }
}
