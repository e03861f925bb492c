using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Unknown names: a task that no live worker knows is parked, and its attempt is not charged.</summary>
public abstract class ParkingContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_whose_name_nobody_knows_is_told_as_parked()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1("x"));
        Assert.False((await FoundAsync(backend, id)).IsParked);
        Assert.Empty(await TakeAsync(backend, owner));

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Scheduled, true), (task.State, task.IsParked));
        Assert.Equal(Clock.GetUtcNow() + Defaults.UnknownNameParking, task.DueAt);
    }

    [Fact]
    public async Task A_parked_task_is_offered_at_once_when_it_is_retried()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1("x"));
        Assert.Empty(await TakeAsync(backend, owner));
        Assert.True((await FoundAsync(backend, id)).IsParked);

        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));

        Assert.False((await FoundAsync(backend, id)).IsParked);
        var newer = await BeginAsync(backend, null, "x");
        Assert.Equal(id, (await TakeOneAsync(backend, newer)).Lease.Id);
    }

    [Fact]
    public async Task A_task_whose_name_nobody_knows_is_parked_uncharged_and_does_not_block_others()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend, names: "a");
        var unknown = await AddAsync(backend, Task1("new-in-the-next-version"));
        var known = await AddAsync(backend);

        Assert.Equal(known, Assert.Single(await TakeAsync(backend, owner)).Lease.Id);
        Assert.Null(await backend.GetResultAsync(unknown, TimeSpan.Zero, Token));
        Assert.True((await FoundAsync(backend, unknown)).IsParked);
        var newer = await BeginAsync(backend, names: "new-in-the-next-version");

        var task = await TakeOneAsync(backend, newer);
        Assert.Equal((unknown, 1), (task.Lease.Id, task.Attempt));
    }

    [Fact]
    public async Task A_task_that_another_live_worker_knows_is_left_to_it()
    {
        var backend = Live();
        var one = await BeginAsync(backend, names: "a");
        var other = await BeginAsync(backend, names: "b");
        var id = await AddAsync(backend, Task1("b"));

        Assert.Empty(await TakeAsync(backend, one));
        Assert.Equal(id, (await TakeOneAsync(backend, other)).Lease.Id);
    }

    [Fact]
    public async Task A_worker_that_begins_takes_out_what_it_knows_and_leaves_the_rest_parked()
    {
        var backend = Live();
        var owner = await BeginAsync(backend, names: "a");
        var known = (await backend.EnqueueAsync([.. Enumerable.Range(0, 100).Select(_ => Task1("x"))], Token)).Select(one => one.Id);
        var rest = await AddAsync(backend, Task1("y"));
        Assert.Empty(await TakeAsync(backend, owner));

        var newer = await BeginAsync(backend, null, "x");

        Assert.Equal(known, (await TakeAsync(backend, newer)).Select(task => task.Lease.Id));
        Assert.True((await FoundAsync(backend, rest)).IsParked);
    }

    /// <summary>The bound is half of what a parked task waits, and far more than the steps take.</summary>
    [Fact]
    public async Task A_worker_that_begins_takes_out_thousands_in_the_end()
    {
        var backend = Live();
        var owner = await BeginAsync(backend, names: "a");
        await backend.EnqueueAsync([.. Enumerable.Range(0, 3_000).Select(i => Task1(i % 2 == 0 ? "x" : "y"))], Token);
        await Eventually.TrueAsync(async () =>
        {
            await TakeAsync(backend, owner);
            return (await InspectorOf(backend).GetOverviewAsync(Token)).Count(TaskState.Scheduled) == 3_000;
        }, "all are parked");

        var newer = await BeginAsync(backend, null, "x");

        var taken = 0;
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (taken < 1_500)
        {
            taken += (await backend.ReserveAsync(new ReserveRequest { Owner = newer, MaxTasks = 1_000 }, late.Token)).Count;
        }

        Assert.Equal(1_500, taken);
        Assert.Equal(1_500, (await InspectorOf(backend).GetOverviewAsync(Token)).Count(TaskState.Scheduled));
    }
}
