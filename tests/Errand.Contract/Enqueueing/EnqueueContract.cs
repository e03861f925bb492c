namespace Errand.Contract;

/// <summary>Enqueueing: the options of a task are kept, an id enqueues one task, and ids are never reused.</summary>
public abstract class EnqueueContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
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
    public async Task Cancelling_the_wait_for_an_enqueue_abandons_the_wait_and_not_the_commit()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var known = 0;
        for (var i = 0; i < 200; i++)
        {
            using var cancellation = new CancellationTokenSource();
            var enqueue = backend.EnqueueAsync([Task1()], cancellation.Token).AsTask();
            await cancellation.CancelAsync();
            try
            {
                await enqueue;
                known++;
            }
            catch (OperationCanceledException)
            {
                // The task exists all the same.
            }
        }

        Assert.Equal(200, (await TakeAsync(backend, owner, 1_000)).Count);
        Assert.InRange(known, 0, 200);
    }

    [Theory]
    [InlineData(1_000_000_000)]
    [InlineData(0)]
    [InlineData(-1)]
    public async Task One_id_that_was_never_given_out_enqueues_none_of_the_call(long id)
    {
        var backend = Live();
        NewTask[] tasks = [Task1(), Task1() with { Id = new TaskId(id) }, Task1() with { UniqueKey = "one" }];
        await Assert.ThrowsAsync<ArgumentException>(() => backend.EnqueueAsync(tasks, Token).AsTask());
        Assert.Empty((await backend.Control<IQueueInspector>()!.ListAsync(cancellationToken: Token)).Tasks);
        Assert.True((await backend.EnqueueAsync([tasks[2]], Token))[0].IsNew);
    }
}
