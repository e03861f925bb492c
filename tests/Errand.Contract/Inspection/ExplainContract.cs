namespace Errand.Contract;

/// <summary>Explanations why a task is not running.</summary>
public abstract class ExplainContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private static async Task<string> ExplainedAsync(IBackend backend, TaskId id, TaskState state)
    {
        var explanation = await InspectorOf(backend).ExplainAsync(id, Token);
        Assert.Equal(state, explanation.State);
        Assert.NotEmpty(explanation.Reasons);
        Assert.Equal(string.Join(' ', explanation.Reasons), explanation.ToString());
        return explanation.ToString();
    }

    private static ValueTask<WorkerId> BeginBusyAsync(IBackend backend, string queue, int concurrency, params string[] names) =>
        backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = TimeSpan.FromSeconds(30), TaskNames = names, Queues = [new QueueSubscription(queue)], Concurrency = concurrency,
            },
            Token);

    [Fact]
    public async Task A_task_that_never_was_cannot_be_explained()
    {
        var missing = await Assert.ThrowsAsync<TaskNotFoundException>(() => InspectorOf(Live()).ExplainAsync(new TaskId(4_711), Token).AsTask());
        Assert.Equal(new TaskId(4_711), missing.Id);
    }

    [Fact]
    public async Task It_is_explained_that_a_task_is_due_later()
    {
        var backend = Timed();
        await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMinutes(5) });
        Assert.Equal("It is due at 2030-01-01 00:05:00Z.", await ExplainedAsync(backend, id, TaskState.Scheduled));
    }

    [Fact]
    public async Task It_is_explained_that_a_task_waits_for_its_retry_and_why()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "FormatException: no\n   at X", TimeSpan.FromMinutes(1));
        Assert.Equal(
            "Its attempt 1 failed: FormatException: no. The next is due at 2030-01-01 00:01:00Z.",
            await ExplainedAsync(backend, id, TaskState.Scheduled));
    }

    [Fact]
    public async Task It_is_explained_that_a_task_was_put_off()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        await backend.SnoozeAsync((await TakeOneAsync(backend, owner)).Lease, TimeSpan.FromMinutes(1), Token);
        Assert.Equal(
            "It was put off; its attempt 1 is due at 2030-01-01 00:01:00Z.", await ExplainedAsync(backend, id, TaskState.Scheduled));
    }

    [Fact]
    public async Task It_is_explained_that_the_queue_is_paused()
    {
        var backend = Live();
        await BeginAsync(backend);
        var id = await AddAsync(backend);
        await InspectorOf(backend).PauseAsync(Defaults.Queue, Token);
        Assert.Equal("Its queue 'default' is paused.", await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task It_is_explained_that_no_worker_is_alive()
    {
        var backend = Live();
        var id = await AddAsync(backend);
        Assert.Equal("No worker is alive.", await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task It_is_explained_that_no_worker_serves_the_queue()
    {
        var backend = Live();
        await BeginBusyAsync(backend, "mail-*", 1, "a");
        var id = await AddAsync(backend, Task1(queue: "mail"));
        Assert.Equal("No live worker serves the queue 'mail'.", await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task It_is_explained_that_no_worker_knows_the_name()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        await BeginBusyAsync(backend, "elsewhere", 1, "x");
        var other = await AddAsync(backend, Task1("y"));
        var id = await AddAsync(backend, Task1("x"));
        Assert.Equal("No live worker of its queue knows the task name 'x'.", await ExplainedAsync(backend, id, TaskState.Pending));

        Assert.Empty(await TakeAsync(backend, owner));

        Assert.Equal(
            "No live worker of its queue knows the task name 'y'; it was put aside and is offered again at 2030-01-01 00:01:00Z.",
            await ExplainedAsync(backend, other, TaskState.Scheduled));
    }

    [Fact]
    public async Task It_is_explained_that_a_parked_task_waits_again_now_that_its_name_is_known()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1("x"));
        Assert.Empty(await TakeAsync(backend, owner));
        await BeginBusyAsync(backend, Defaults.Queue, 1, "x");
        Assert.Equal(
            "It is due, and will be started when the tasks before it have been.", await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task Tasks_of_another_worker_s_names_are_no_tasks_before_it()
    {
        var backend = Live();
        await BeginBusyAsync(backend, Defaults.Queue, 1, "b");
        var owner = await BeginBusyAsync(backend, Defaults.Queue, 1, "a");
        await backend.EnqueueAsync([.. Enumerable.Range(0, 1_500).Select(_ => Task1("b"))], Token);
        var id = await AddAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id); // So that what is explained is true.
        Assert.StartsWith("It runs since", await ExplainedAsync(backend, id, TaskState.Running), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_explained_that_the_workers_are_busy_or_that_others_come_first()
    {
        var backend = Live();
        var owner = await BeginBusyAsync(backend, Defaults.Queue, 2, "a");
        await AddManyAsync(backend, 2);
        var id = await AddAsync(backend);
        Assert.Single(await TakeAsync(backend, owner, 1));
        Assert.Equal(
            "It is due, and will be started when the tasks before it have been.", await ExplainedAsync(backend, id, TaskState.Pending));

        Assert.Single(await TakeAsync(backend, owner, 1));

        Assert.Equal(
            "It is due, and every worker that could run it is busy with others.", await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task It_is_explained_that_a_task_will_expire()
    {
        var backend = Timed();
        var id = await AddAsync(backend, Task1() with { ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromMinutes(1) });
        Assert.Equal(
            "No worker is alive. If it has not started by 2030-01-01 00:01:00Z, it expires.",
            await ExplainedAsync(backend, id, TaskState.Pending));
    }

    [Fact]
    public async Task It_is_explained_that_a_task_runs_and_where()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        Assert.Equal(
            $"It runs since 2030-01-01 00:00:00Z, attempt 1, on worker {owner} (process {Environment.ProcessId} on "
            + $"{Environment.MachineName}).",
            await ExplainedAsync(backend, id, TaskState.Running));

        await InspectorOf(backend).CancelAsync(id, Token);

        Assert.EndsWith(
            " It was asked to cancel; its handler has not returned yet.", await ExplainedAsync(backend, id, TaskState.Running),
            StringComparison.Ordinal);
        await backend.MarkCancelledAsync(lease, null, Token);
        Assert.Equal(
            "It was cancelled at 2030-01-01 00:00:00Z, after it had started.", await ExplainedAsync(backend, id, TaskState.Cancelled));
    }

    [Fact]
    public async Task It_is_explained_that_a_task_belongs_to_a_worker_that_is_not_heard_of()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend, Lease);
        var id = await AddAsync(backend);
        await TakeOneAsync(backend, owner);
        await LeaveAsync(backend, owner);
        await ExplainedAsync(backend, id, TaskState.Running);

        Clock.Advance(Lease);

        Assert.Equal(
            $"Its worker {owner} (process {Environment.ProcessId} on {Environment.MachineName}) has ended, or has not been heard of "
            + "for its lease of 00:00:10; the task waits again when another worker has noticed. No worker is alive that could notice.",
            await ExplainedAsync(backend, id, TaskState.Running));
    }

    [Fact]
    public async Task It_is_explained_how_a_task_ended()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var succeeded = await AddAsync(backend);
        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token);
        var failed = await AddAsync(backend);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "FormatException: no\r\n   at X");
        var cancelled = await AddAsync(backend);
        await InspectorOf(backend).CancelAsync(cancelled, Token);
        var expired = await AddAsync(
            backend, Task1() with { Delay = TimeSpan.FromHours(1), ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(1) });
        await PassAsync(backend, TimeSpan.FromSeconds(1), () => backend.Heartbeat(owner));

        Assert.Equal("It succeeded at 2030-01-01 00:00:00Z, on attempt 1.", await ExplainedAsync(backend, succeeded, TaskState.Succeeded));
        Assert.Equal(
            "It failed for good at 2030-01-01 00:00:00Z, on attempt 1: FormatException: no. Retry it to run it again.",
            await ExplainedAsync(backend, failed, TaskState.Failed));
        Assert.Equal(
            "It was cancelled at 2030-01-01 00:00:00Z, before it had started.",
            await ExplainedAsync(backend, cancelled, TaskState.Cancelled));
        Assert.Equal(
            "It expired at 2030-01-01 00:00:01Z, before it could start.", await ExplainedAsync(backend, expired, TaskState.Expired));
    }
}
