namespace Errand.Contract;

/// <summary>Delays and due times: a task starts then and never before.</summary>
public abstract class DelayContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_with_a_delay_or_due_time_starts_then_and_never_before()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var delayed = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMilliseconds(2_500) });
        var timed = await AddAsync(backend, Task1() with { DueAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(5) });
        var past = await AddAsync(backend, Task1() with { DueAt = Clock.GetUtcNow() - TimeSpan.FromDays(1) });
        Assert.Equal(past, (await TakeOneAsync(backend, owner)).Lease.Id);

        Clock.Advance(TimeSpan.FromMilliseconds(2_499));
        Assert.Empty(await TakeAsync(backend, owner));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(delayed, (await TakeOneAsync(backend, owner)).Lease.Id);
        Clock.Advance(TimeSpan.FromMilliseconds(2_499));
        Assert.Empty(await TakeAsync(backend, owner));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(timed, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task A_waiting_worker_is_woken_when_a_scheduled_task_becomes_due()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 4 }, Token).AsTask();
        var id = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMinutes(3) });

        await PassAsync(backend, TimeSpan.FromMinutes(2.9), () => backend.Heartbeat(owner));
        Assert.False(waiting.IsCompleted);
        await PassAsync(backend, TimeSpan.FromMinutes(0.1), () => backend.Heartbeat(owner));

        Assert.Equal(id, Assert.Single(await waiting).Lease.Id);
    }
}
