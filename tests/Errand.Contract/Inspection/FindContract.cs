namespace Errand.Contract;

/// <summary>The details and history of one task.</summary>
public abstract class FindContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_that_never_was_is_not_found()
    {
        Assert.Null(await InspectorOf(Live()).FindAsync(new TaskId(4_711), Token));
        Assert.Null(await InspectorOf(Live()).FindAsync(new TaskId(-1), Token));
    }

    [Fact]
    public async Task A_task_that_waits_is_told_with_all_that_it_was_enqueued_with()
    {
        var backend = Timed();
        var now = Clock.GetUtcNow();
        var id = await AddAsync(backend, new NewTask
        {
            Name = "b", Queue = "mail", Priority = -3, Delay = TimeSpan.FromSeconds(5), ExpiresAt = now + TimeSpan.FromHours(1),
            UniqueKey = "key 'of' \u202E mine", Timeout = TimeSpan.FromSeconds(9), Retry = new RetryPolicy { MaxAttempts = 7 },
            Payload = Json("[1,2]"),
        });

        var task = await FoundAsync(backend, id);

        Assert.Equal((id, "b", "mail", TaskState.Scheduled, -3), (task.Id, task.Name, task.Queue, task.State, task.Priority));
        Assert.Equal((now, now + TimeSpan.FromSeconds(5), null, null), (task.EnqueuedAt, task.DueAt, task.StartedAt, task.FinishedAt));
        Assert.Equal((0, 7, 0L, null), (task.Attempt, task.MaxAttempts, task.Epoch, task.Worker));
        Assert.Equal((TimeSpan.FromSeconds(9), now + TimeSpan.FromHours(1)), (task.Timeout, task.ExpiresAt));
        Assert.Equal("key 'of' \u202E mine", task.UniqueKey);
        Assert.Equal((false, false), (task.IsParked, task.IsCancelRequested));
        Assert.Equal("[1,2]"u8.ToArray(), task.Payload.ToArray());
        Assert.Equal((0, null, null, 0), (task.Result.Length, task.Error, task.Progress, task.History.Count));
    }

    [Fact]
    public async Task A_task_that_runs_is_told_with_its_worker_and_its_progress()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        Clock.Advance(TimeSpan.FromSeconds(1));
        var started = Clock.GetUtcNow();
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        await backend.SaveCheckpointAsync(lease, Json("{}"), Token);
        Assert.Null((await FoundAsync(backend, id)).Progress);
        Clock.Advance(TimeSpan.FromSeconds(1));
        await backend.ReportProgressAsync(lease, 0.25, "a quarter", Token);

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Running, owner, 1L, 1, started), (task.State, task.Worker, task.Epoch, task.Attempt, task.StartedAt));
        Assert.Equal(new TaskProgress { Fraction = 0.25, Message = "a quarter", ReportedAt = started + TimeSpan.FromSeconds(1) }, task.Progress);
    }

    [Fact]
    public async Task A_task_that_failed_twice_and_then_for_good_is_told_with_every_attempt_and_its_payload()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with
        {
            UniqueKey = "one", Timeout = TimeSpan.FromMinutes(2), Retry = new RetryPolicy { MaxAttempts = 3 }, Payload = Json("[7]"),
        });
        var began = Clock.GetUtcNow();
        foreach (var error in (string[])["first", "second", "third"])
        {
            var lease = (await TakeOneAsync(backend, owner)).Lease;
            Clock.Advance(TimeSpan.FromMilliseconds(300));
            await FailAsync(backend, lease, error, error == "third" ? null : TimeSpan.FromMilliseconds(700));
            Clock.Advance(TimeSpan.FromMilliseconds(700));
        }

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Failed, "third", 3, 3L, null), (task.State, task.Error, task.Attempt, task.Epoch, task.Worker));
        Assert.Equal((At(2), At(2.3)), (task.StartedAt, task.FinishedAt));
        Assert.Equal(
            [
                new TaskAttempt { Attempt = 1, Epoch = 1, StartedAt = At(0), EndedAt = At(0.3), Worker = owner, Error = "first" },
                new TaskAttempt { Attempt = 2, Epoch = 2, StartedAt = At(1), EndedAt = At(1.3), Worker = owner, Error = "second" },
            ],
            task.History);
        Assert.Equal((3, TimeSpan.FromMinutes(2), "one"), (task.MaxAttempts, task.Timeout, task.UniqueKey));
        Assert.Equal("[7]"u8.ToArray(), task.Payload.ToArray());

        DateTimeOffset At(double seconds) => began + TimeSpan.FromSeconds(seconds);
    }

    [Fact]
    public async Task An_attempt_that_was_lost_with_its_worker_stands_in_the_history()
    {
        var backend = Timed();
        var lost = await BeginAsync(backend, Lease);
        var witness = await BeginAsync(backend, Lease);
        var id = await AddAsync(backend);
        await TakeOneAsync(backend, lost);
        await LeaveAsync(backend, lost);
        await PassAsync(backend, Lease * 1.5, () => backend.Heartbeat(witness));

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Scheduled, 1, null), (task.State, task.Attempt, task.Worker));
        var attempt = Assert.Single(task.History);
        Assert.Equal((1, 1L, lost), (attempt.Attempt, attempt.Epoch, attempt.Worker));
        Assert.StartsWith("The worker's process ended, or lost its lease, during attempt 1 of 5.", attempt.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_task_that_was_cancelled_while_it_waited_is_told_without_a_start()
    {
        var backend = Timed();
        var id = await AddAsync(backend);
        await InspectorOf(backend).CancelAsync(id, Token);

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Cancelled, 0, 0L), (task.State, task.Attempt, task.Epoch));
        Assert.Equal((null, Clock.GetUtcNow(), null), (task.StartedAt, task.FinishedAt, task.Error));
        Assert.False(task.IsCancelRequested);
        Assert.Equal(0, task.Payload.Length);
    }

    [Fact]
    public async Task A_task_that_is_to_be_cancelled_says_so_while_it_runs_and_why_it_gave_up_afterwards()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        Assert.False((await FoundAsync(backend, id)).IsCancelRequested);
        await InspectorOf(backend).CancelAsync(id, Token);
        Assert.True((await FoundAsync(backend, id)).IsCancelRequested);

        await backend.MarkCancelledAsync(lease, "half was done", Token);

        var task = await FoundAsync(backend, id);
        Assert.Equal((TaskState.Cancelled, "half was done", false), (task.State, task.Error, task.IsCancelRequested));
    }

    [Fact]
    public async Task A_task_that_has_succeeded_is_told_with_its_result_and_without_its_payload()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { Payload = Json("[1]") });
        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, Json("[2]"), Token);

        var task = await FoundAsync(backend, id);

        Assert.Equal((TaskState.Succeeded, null, 0), (task.State, task.Error, task.Payload.Length));
        Assert.Equal("[2]"u8.ToArray(), task.Result.ToArray());
    }

    [Fact]
    public async Task A_history_has_the_last_20_attempts_oldest_first()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { Retry = new RetryPolicy { MaxAttempts = 100 } });
        for (var attempt = 1; attempt <= 25; attempt++)
        {
            await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, $"attempt {attempt}", TimeSpan.Zero);
        }

        var history = (await FoundAsync(backend, id)).History;

        Assert.Equal(Enumerable.Range(6, 20), history.Select(attempt => attempt.Attempt));
        Assert.Equal(Enumerable.Range(6, 20).Select(attempt => $"attempt {attempt}"), history.Select(attempt => attempt.Error));
    }

    [Fact]
    public async Task What_was_given_back_or_put_off_is_no_attempt_in_the_history()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        await backend.ReleaseAsync((await TakeOneAsync(backend, owner)).Lease, Token);
        await backend.SnoozeAsync((await TakeOneAsync(backend, owner)).Lease, TimeSpan.FromDays(1), Token);

        var task = await FoundAsync(backend, id);

        Assert.Equal((0, 2L, 0), (task.Attempt, task.Epoch, task.History.Count));
    }
}
