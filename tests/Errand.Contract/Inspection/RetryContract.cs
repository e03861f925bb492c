namespace Errand.Contract;

/// <summary>Retrying by an operator, one task or all that a filter selects.</summary>
public abstract class RetryContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_failed_task_that_is_retried_runs_again_under_its_id_with_all_its_attempts_and_a_higher_epoch()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var retry = new RetryPolicy { MaxAttempts = 2, Delay = TimeSpan.FromSeconds(3) };
        var id = await AddAsync(backend, new NewTask
        {
            Name = "b", Queue = "mail", Priority = 4, Timeout = TimeSpan.FromSeconds(9), Retry = retry, UniqueKey = "one",
            Payload = Json("[1,2]"),
        });
        var enqueued = Clock.GetUtcNow();
        await FailAsync(backend, Assert.Single(await TakeAsync(backend, owner, 5, "mail")).Lease, "first", TimeSpan.Zero);
        await FailAsync(backend, Assert.Single(await TakeAsync(backend, owner, 5, "mail")).Lease, "second");
        Clock.Advance(TimeSpan.FromMinutes(1));

        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));
        var waiting = await FoundAsync(backend, id);
        var task = Assert.Single(await TakeAsync(backend, owner, 5, "mail"));

        Assert.Equal((TaskState.Pending, 0, 2L, null), (waiting.State, waiting.Attempt, waiting.Epoch, waiting.FinishedAt));
        Assert.Equal((null, "one"), (waiting.Error, waiting.UniqueKey));
        Assert.Equal(new TaskLease { Id = id, Owner = owner, Epoch = 3 }, task.Lease);
        Assert.Equal(("b", "mail", 1), (task.Name, task.Queue, task.Attempt));
        Assert.Equal((enqueued, Clock.GetUtcNow()), (task.EnqueuedAt, task.DueAt));
        Assert.Equal((TimeSpan.FromSeconds(9), retry), (task.Timeout, task.Retry));
        Assert.Equal("[1,2]"u8.ToArray(), task.Payload.ToArray());
        Assert.Empty(await TakeAsync(backend, owner, 5, "mail"));
    }

    [Fact]
    public async Task A_task_that_is_retried_keeps_its_history_and_what_ended_it_and_its_progress()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "first", TimeSpan.Zero);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        await backend.ReportProgressAsync(lease, 0.5, "half", Token);
        await FailAsync(backend, lease, "second");
        var now = Clock.GetUtcNow();

        await InspectorOf(backend).RetryAsync(id, Token);

        var task = await FoundAsync(backend, id);
        Assert.Equal(
            new TaskAttempt { Attempt = 1, Epoch = 1, StartedAt = now, EndedAt = now, Worker = owner, Error = "first" }, task.History[0]);
        Assert.Equal(
            new TaskAttempt { Attempt = 2, Epoch = 2, StartedAt = now, EndedAt = now, Worker = null, Error = "second" },
            Assert.Single(task.History.Skip(1)) with { Worker = null }); // Not every store keeps it.
        Assert.Equal(new TaskProgress { Fraction = 0.5, Message = "half", ReportedAt = now }, task.Progress);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "third", TimeSpan.Zero);
        Assert.Equal([(1, 1L), (2, 2L), (1, 3L)], (await FoundAsync(backend, id)).History.Select(one => (one.Attempt, one.Epoch)));
    }

    [Fact]
    public async Task A_task_is_retried_once_however_many_ask_for_it()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = Assert.Single(await AddFailedAsync(backend, owner, "x", Task1()));

        var retried = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => InspectorOf(backend).RetryAsync(id, Token).AsTask()));

        Assert.Single(retried, yes => yes);
        Assert.Equal((id, 2L), await TakeOneAsync(backend, owner) is var task ? (task.Lease.Id, task.Lease.Epoch) : default);
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task A_retry_wakes_a_worker_that_waits()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = Assert.Single(await AddFailedAsync(backend, owner, "x", Task1()));
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));
        Assert.Equal(id, Assert.Single(await waiting.WaitAsync(TimeSpan.FromSeconds(30), Token)).Lease.Id);
    }

    [Fact]
    public async Task The_new_end_of_a_retried_task_can_be_waited_for()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = Assert.Single(await AddFailedAsync(backend, owner, "x", Task1()));
        await InspectorOf(backend).RetryAsync(id, Token);
        Assert.Null(await backend.GetResultAsync(id, TimeSpan.Zero, Token));
        var waiting = backend.GetResultAsync(id, TimeSpan.FromSeconds(30), Token).AsTask();

        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, Json("5"), Token);

        Assert.Equal(5, (await waiting)!.GetValue<int>());
        Assert.Null((await FoundAsync(backend, id)).Error);
    }

    [Fact]
    public async Task A_task_that_is_due_later_is_due_now_when_it_is_retried()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var later = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromDays(1) });
        var waits = await AddAsync(backend, Task1("b"));
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "no", TimeSpan.FromHours(1));
        Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.True(await InspectorOf(backend).RetryAsync(later, Token));
        Assert.True(await InspectorOf(backend).RetryAsync(waits, Token));

        var tasks = await TakeAsync(backend, owner);
        Assert.Equal([(later, 1, 1L), (waits, 2, 2L)], tasks.Select(task => (task.Lease.Id, task.Attempt, task.Lease.Epoch)));
        Assert.All(tasks, task => Assert.Equal(Clock.GetUtcNow(), task.DueAt));
    }

    [Fact]
    public async Task What_is_pending_or_runs_or_has_ended_otherwise_is_not_retried()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var inspector = InspectorOf(backend);
        var ids = await AddManyAsync(backend, 3);
        var taken = await TakeAsync(backend, owner, 2);
        await backend.MarkSuccessAsync(taken[0].Lease, default, Token);
        var cancelled = await AddAsync(backend);
        await inspector.CancelAsync(cancelled, Token);
        var expired = await AddAsync(
            backend, Task1() with { Delay = TimeSpan.FromHours(1), ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(1) });
        await PassAsync(backend, TimeSpan.FromSeconds(1), () => backend.Heartbeat(owner));

        foreach (var id in (TaskId[])[.. ids, cancelled, expired])
        {
            var before = await FoundAsync(backend, id);
            Assert.False(await inspector.RetryAsync(id, Token));
            Assert.Equal(before.State, (await FoundAsync(backend, id)).State);
        }

        await Assert.ThrowsAsync<TaskNotFoundException>(() => inspector.RetryAsync(new TaskId(4_711_000_000), Token).AsTask());
    }

    [Fact]
    public async Task All_failed_tasks_that_a_filter_means_are_retried_and_no_others()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var many = await AddFailedAsync(backend, owner, "timeout of 30%", [.. Enumerable.Repeat(Task1(), 1_201)]);
        var mail = await AddFailedAsync(backend, owner, "timeout of 30%", Task1(queue: "mail"), Task1("b", "mail"));
        var others = await AddFailedAsync(backend, owner, "other", Task1(), Task1(queue: "mail"));
        var inspector = InspectorOf(backend);

        Assert.Equal(0, await inspector.RetryAsync(new TaskFilter { Queue = "nobody" }, Token));
        Assert.Equal(1, await inspector.RetryAsync(new TaskFilter { Name = "b", States = [TaskState.Failed] }, Token));
        Assert.Equal(mail[1], Assert.Single(await TakeAsync(backend, owner, 5, "mail")).Lease.Id);
        Assert.Equal(1, await inspector.RetryAsync(new TaskFilter { Queue = "mail", ErrorContains = "30%" }, Token));
        Assert.Equal(mail[0], Assert.Single(await TakeAsync(backend, owner, 5, "mail")).Lease.Id);
        Assert.Equal(1_201, await inspector.RetryAsync(new TaskFilter { ErrorContains = "timeout" }, Token));
        Assert.Equal(many.Order(), (await TakeAsync(backend, owner, 2_000)).Select(task => task.Lease.Id).Order());
        Assert.Equal(2, await inspector.RetryAsync(new TaskFilter(), Token));
        Assert.Equal(
            others.Order(), (await TakeAllAsync(backend, owner, 5, Defaults.Queue, "mail")).Select(task => task.Lease.Id).Order());
        Assert.Equal(0, await inspector.RetryAsync(new TaskFilter(), Token));
    }

    [Fact]
    public async Task A_retry_by_filter_leaves_alone_what_waits_runs_or_has_ended_otherwise()
    {
        var backend = Timed();
        var tasks = await AddInAllStatesAsync(backend);

        var retried = await InspectorOf(backend).RetryAsync(new TaskFilter(), Token);

        Assert.Equal(tasks.Count(task => task.State == TaskState.Failed), retried);
        Assert.Equal(
            tasks.OrderByDescending(task => task.Id)
                .Select(task => (task.Id, task.State == TaskState.Failed ? TaskState.Pending : task.State)),
            (await ListAllAsync(backend)).Select(task => (task.Id, task.State)));
    }

    [Fact]
    public async Task A_retry_by_filter_ends_though_its_tasks_fail_again_at_once()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddFailedAsync(backend, owner, "x", [.. Enumerable.Repeat(Task1(), 1_100)]);
        using var done = new CancellationTokenSource();
        var failing = Task.Run(
            async () =>
            {
                var request = new ReserveRequest { Owner = owner, MaxTasks = 100, Wait = TimeSpan.FromMilliseconds(20) };
                for (IReadOnlyList<ReservedTask> taken = []; taken.Count > 0 || !done.IsCancellationRequested;)
                {
                    taken = await backend.ReserveAsync(request, Token);
                    await Task.WhenAll(taken.Select(task => FailAsync(backend, task.Lease, "again")));
                }
            },
            Token);

        Assert.Equal(ids.Length, await InspectorOf(backend).RetryAsync(new TaskFilter(), Token));

        await done.CancelAsync();
        await failing;
        Assert.Equal(ids.Length, (await ListAllAsync(backend, new TaskFilter { States = [TaskState.Failed] }, 1_000)).Count);
    }

    [Fact]
    public async Task A_retry_by_filter_that_is_cancelled_before_it_begins_retries_none()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddFailedAsync(backend, owner, "x", Task1(), Task1());
        using var cancellation = new CancellationTokenSource();
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => InspectorOf(backend).RetryAsync(new TaskFilter(), cancellation.Token).AsTask());

        Assert.All(await ListAllAsync(backend), task => Assert.Equal(TaskState.Failed, task.State));
        Assert.Equal(ids.Length, await InspectorOf(backend).RetryAsync(new TaskFilter(), Token));
    }

    [Theory]
    [InlineData(TaskState.Pending)]
    [InlineData(TaskState.Succeeded)]
    [InlineData(TaskState.Failed, TaskState.Cancelled)]
    public async Task A_retry_by_filter_takes_failed_tasks_alone(params TaskState[] states)
    {
        var refused = await Assert.ThrowsAnyAsync<ArgumentException>(
            () => InspectorOf(Live()).RetryAsync(new TaskFilter { States = states }, Token).AsTask());
        Assert.Contains("only failed tasks are retried", refused.Message, StringComparison.Ordinal);
    }
}
