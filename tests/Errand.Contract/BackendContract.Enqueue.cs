namespace Errand.Contract;

public abstract partial class BackendContract
{
    [Fact]
    public async Task Initialize_is_idempotent_and_implicit_in_the_first_use()
    {
        var backend = Live();
        var id = await AddAsync(backend);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => backend.InitializeAsync(Token).AsTask()));
        await backend.InitializeAsync(Token);

        var owner = await BeginAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task Every_method_sees_the_same_schema_and_data_and_data_outlives_each_call()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        var id = await Task.Run(() => AddAsync(backend));
        var owner = await Task.Run(() => BeginAsync(backend).AsTask());
        var task = await Task.Run(() => TakeOneAsync(backend, owner));
        Assert.Equal(id, task.Lease.Id);
        Assert.True(await Task.Run(() => backend.Heartbeat(owner)));
        Assert.True(await Task.Run(() => backend.MarkSuccessAsync(task.Lease, Json("1"), Token).AsTask()));

        var result = await Task.Run(() => backend.GetResultAsync(id, TimeSpan.Zero, Token).AsTask());

        Assert.Equal(TaskState.Succeeded, result?.State);
    }

    [Fact]
    public async Task A_task_is_reserved_with_all_that_it_was_enqueued_with()
    {
        var backend = Timed();
        var now = Clock.GetUtcNow();
        var retry = new RetryPolicy
        {
            MaxAttempts = 7, Delay = TimeSpan.FromSeconds(3), MaxDelay = TimeSpan.FromMinutes(2), Factor = 1.5, Jitter = 0.1,
        };
        var id = await AddAsync(backend, new NewTask
        {
            Name = "b", Queue = "mail", Priority = -3, Timeout = TimeSpan.FromSeconds(9), Retry = retry, Payload = Json("[1,2]"),
        });
        var owner = await BeginAsync(backend);

        var task = Assert.Single(await TakeAsync(backend, owner, 5, "mail"));

        Assert.Equal(new TaskLease { Id = id, Owner = owner, Epoch = 1 }, task.Lease);
        Assert.Equal(("b", "mail", 1), (task.Name, task.Queue, task.Attempt));
        Assert.Equal((now, now), (task.EnqueuedAt, task.DueAt));
        Assert.Equal(TimeSpan.FromSeconds(9), task.Timeout);
        Assert.Equal(retry, task.Retry);
        Assert.Equal("[1,2]"u8.ToArray(), task.Payload.ToArray());
    }

    [Fact]
    public async Task A_task_handed_to_a_waiting_worker_is_the_same_as_one_that_was_reserved()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token);
        var retry = RetryPolicy.None;
        var given = new NewTask { Name = "c", Timeout = TimeSpan.FromMinutes(1), Retry = retry, Payload = Json("{\"x\":1}") };
        var id = await AddAsync(backend, given);

        var task = Assert.Single(await waiting);

        Assert.Equal(new TaskLease { Id = id, Owner = owner, Epoch = 1 }, task.Lease);
        Assert.Equal(("c", Defaults.Queue, 1), (task.Name, task.Queue, task.Attempt));
        Assert.Equal(Clock.GetUtcNow(), task.DueAt);
        Assert.Equal((given.Timeout, given.Retry), (task.Timeout, task.Retry));
        Assert.Equal(given.Payload.ToArray(), task.Payload.ToArray());
        Assert.Empty(await TakeAsync(backend, owner));
        Assert.True(await backend.MarkSuccessAsync(task.Lease, Json("2"), Token));
        Assert.Equal("2"u8.ToArray(), (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.Value.ToArray());
    }

    [Fact]
    public async Task Many_tasks_are_enqueued_together_and_offered_in_their_order()
    {
        var backend = Live();
        var ids = await AddManyAsync(backend, 2_500);
        var owner = await BeginAsync(backend);

        var taken = await TakeAsync(backend, owner, 5_000);

        Assert.Equal(ids, taken.Select(task => task.Lease.Id));
        Assert.Equal(2_500, ids.Distinct().Count());
    }

    [Fact]
    public async Task Enqueueing_again_with_the_same_id_finds_the_first_live_or_finished()
    {
        var backend = Live();
        var id = await backend.NewIdAsync(Token);
        var task = Task1() with { Id = id };
        Assert.Equal(new EnqueuedTask { Id = id, IsNew = true }, (await backend.EnqueueAsync([task], Token))[0]);
        Assert.Equal(new EnqueuedTask { Id = id, IsNew = false }, (await backend.EnqueueAsync([task], Token))[0]);

        var owner = await BeginAsync(backend);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        await backend.MarkSuccessAsync(lease, default, Token);

        Assert.Equal(new EnqueuedTask { Id = id, IsNew = false }, (await backend.EnqueueAsync([task], Token))[0]);
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task An_id_that_was_never_given_out_is_refused_and_harms_no_other_task()
    {
        var backend = Live();
        var good = AddAsync(backend);
        var bad = backend.EnqueueAsync([Task1() with { Id = new TaskId(1L << 50) }], Token).AsTask();

        var refused = await Assert.ThrowsAsync<ArgumentException>(() => bad);

        Assert.Contains("1125899906842624 was never given out", refused.Message, StringComparison.Ordinal);
        Assert.Contains("NewIdAsync", refused.Message, StringComparison.Ordinal);
        var owner = await BeginAsync(backend);
        Assert.Equal(await good, (await TakeOneAsync(backend, owner)).Lease.Id);
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task Ids_are_never_given_twice_even_when_the_largest_is_gone()
    {
        var backend = Timed(retention: TimeSpan.FromSeconds(1));
        var owner = await BeginAsync(backend);
        var first = await AddAsync(backend);
        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token);
        await PassAsync(backend, TimeSpan.FromSeconds(5), () => backend.Heartbeat(owner));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.GetResultAsync(first, TimeSpan.Zero, Token).AsTask());

        var ids = new[] { await AddAsync(backend), await backend.NewIdAsync(Token), await AddAsync(backend) };

        Assert.Equal(3, ids.Distinct().Count());
        Assert.All(ids, id => Assert.InRange(id.Value, first.Value + 1, (1L << 53) - 1));
    }

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
