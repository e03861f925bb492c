namespace Errand.Contract;

/// <summary>Expiry: a task that has not started by its time ends as expired.</summary>
public abstract class ExpiryContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_that_has_not_started_by_its_time_ends_as_expired_though_nobody_asks_for_it()
    {
        var backend = Timed();
        var id = await AddAsync(backend, ExpiringIn(TimeSpan.FromSeconds(2)));
        var later = await AddAsync(backend, ExpiringIn(TimeSpan.FromSeconds(4)) with { Delay = TimeSpan.FromSeconds(3) });
        var result = backend.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token).AsTask();
        await PassAsync(backend, TimeSpan.FromSeconds(1.5));
        Assert.False(result.IsCompleted);

        await PassAsync(backend, TimeSpan.FromSeconds(1));

        Assert.Equal((TaskState.Expired, 0), (await result) is { } expired ? (expired.State, expired.Attempts) : default);
        Assert.Null(await StateAsync(backend, later));
        await PassAsync(backend, TimeSpan.FromSeconds(3));
        Assert.Equal(TaskState.Expired, (await backend.GetResultAsync(later, TimeSpan.FromSeconds(30), Token))!.State);
    }

    [Fact]
    public async Task An_expired_task_never_starts_and_those_behind_it_do()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var expiring = await AddAsync(backend, ExpiringIn(TimeSpan.FromMilliseconds(100)));
        var other = await AddAsync(backend);
        Clock.Advance(TimeSpan.FromMilliseconds(100));

        Assert.Equal(other, Assert.Single(await TakeAsync(backend, owner)).Lease.Id);
        Assert.Equal(TaskState.Expired, await StateAsync(backend, expiring));
    }

    [Fact]
    public async Task A_task_that_expires_before_it_is_enqueued_is_handed_to_nobody()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.FromSeconds(10) }, Token).AsTask();
        await backend.InitializeAsync(Token);

        var id = await AddAsync(backend, ExpiringIn(TimeSpan.Zero));

        Assert.Equal(TaskState.Expired, (await backend.GetResultAsync(id, TimeSpan.FromSeconds(30), Token))!.State);
        Assert.False(waiting.IsCompleted);
    }

    [Fact]
    public async Task A_task_that_has_started_in_time_runs_on_and_expires_between_two_attempts()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var done = await AddAsync(backend, ExpiringIn(TimeSpan.FromSeconds(1)));
        var first = await TakeOneAsync(backend, owner);
        var failing = await AddAsync(backend, ExpiringIn(TimeSpan.FromSeconds(2)));
        var second = await TakeOneAsync(backend, owner);
        Clock.Advance(TimeSpan.FromSeconds(1.5));

        Assert.True(await backend.MarkSuccessAsync(first.Lease, default, Token));
        Assert.Equal(TaskState.Succeeded, await StateAsync(backend, done));
        Assert.True(await backend.MarkFailureAsync(second.Lease, "no", TimeSpan.FromSeconds(10), Token));
        await PassAsync(backend, TimeSpan.FromSeconds(1));

        var expired = (await backend.GetResultAsync(failing, TimeSpan.FromSeconds(30), Token))!;
        Assert.Equal((TaskState.Expired, 1), (expired.State, expired.Attempts));
    }

    [Fact]
    public async Task A_thousand_tasks_expire_at_once()
    {
        var backend = Timed();
        var added = await backend.EnqueueAsync(
            [.. Enumerable.Repeat(ExpiringIn(TimeSpan.FromSeconds(1)), 1_200)], Token);

        await PassAsync(backend, TimeSpan.FromSeconds(3));

        foreach (var task in added)
        {
            Assert.Equal(TaskState.Expired, (await backend.GetResultAsync(task.Id, TimeSpan.FromSeconds(30), Token))!.State);
        }
    }

    [Fact]
    public async Task A_task_that_failed_after_its_expiry_does_not_expire_when_it_is_retried()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(1) });
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        Clock.Advance(TimeSpan.FromSeconds(2));
        await FailAsync(backend, lease, "late");

        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));

        Assert.Null((await FoundAsync(backend, id)).ExpiresAt);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }
}
