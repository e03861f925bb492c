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
        var newer = await BeginAsync(backend, null, "x");
        Assert.Empty(await TakeAsync(backend, newer));

        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));

        Assert.False((await FoundAsync(backend, id)).IsParked);
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
        var newer = await BeginAsync(backend, names: "new-in-the-next-version");
        Assert.Empty(await TakeAsync(backend, newer));
        await PassAsync(backend, Defaults.UnknownNameParking, () => Assert.True(backend.Heartbeat(newer) && backend.Heartbeat(owner)));

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
}
