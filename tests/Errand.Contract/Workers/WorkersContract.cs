using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Leases: a worker that is alive keeps its tasks, and those of a lost one run again.</summary>
public abstract class WorkersContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_worker_that_beats_keeps_its_tasks_however_long()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend, Lease);
        var other = await BeginAsync(backend, Lease);
        await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);

        await PassAsync(backend, Lease * 5, () => Assert.True(backend.Heartbeat(owner) && backend.Heartbeat(other)));

        Assert.Empty(await TakeAsync(backend, other));
        Assert.True(await backend.MarkSuccessAsync(task.Lease, default, Token));
    }

    [Fact]
    public async Task When_a_lease_runs_out_another_worker_gets_the_task_and_the_first_changes_nothing_more()
    {
        var backend = Timed();
        var gone = await BeginAsync(backend, Lease);
        var other = await BeginAsync(backend, Lease);
        var id = await AddAsync(backend);
        var first = await TakeOneAsync(backend, gone);
        await LeaveAsync(backend, gone);

        await PassAsync(backend, Lease - TimeSpan.FromSeconds(1), () => backend.Heartbeat(other));
        Assert.Empty(await TakeAsync(backend, other));
        await PassAsync(backend, TimeSpan.FromSeconds(4), () => backend.Heartbeat(other));
        var second = await TakeOneAsync(backend, other);

        Assert.Equal((id, 2, 2L), (second.Lease.Id, second.Attempt, second.Lease.Epoch));
        Assert.False(backend.Heartbeat(gone));
        Assert.False(await backend.MarkSuccessAsync(first.Lease, Json("\"old\""), Token));
        Assert.False(await backend.MarkFailureAsync(first.Lease, "old", null, Token));
        Assert.True(await backend.MarkSuccessAsync(second.Lease, Json("\"new\""), Token));
        Assert.Equal("\"new\""u8.ToArray(), (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.Value.ToArray());
    }

    [Fact]
    public async Task A_clock_that_jumps_makes_no_lease_run_out()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend, Lease);
        var other = await BeginAsync(backend, Lease);
        await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);
        await LeaveAsync(backend, owner);

        Clock.JumpWallClock(TimeSpan.FromHours(5));
        await backend.InitializeAsync(Token);
        Clock.Advance(TimeSpan.FromHours(1)); // The whole machine slept: nobody could have been heard.
        await backend.InitializeAsync(Token);

        Assert.Empty(await TakeAsync(backend, other));
        Assert.True(await backend.MarkSuccessAsync(task.Lease, default, Token));
    }

    [Fact]
    public async Task A_task_that_costs_its_workers_their_lease_every_time_ends_failed_after_its_attempts()
    {
        var backend = Timed();
        var id = await AddAsync(backend, Task1() with { Retry = new RetryPolicy { MaxAttempts = 3 } });
        var witness = await BeginAsync(backend, Lease);
        var waiting = backend.GetResultAsync(id, TimeSpan.FromDays(1), Token).AsTask();
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var victim = await BeginAsync(backend, Lease);
            Assert.Equal(attempt, (await TakeOneAsync(backend, victim)).Attempt);
            await LeaveAsync(backend, victim);
            await PassAsync(backend, Lease * 1.5, () => backend.Heartbeat(witness));
        }

        Assert.Empty(await TakeAsync(backend, witness));
        var result = (await waiting)!;
        Assert.Equal((TaskState.Failed, 3), (result.State, result.Attempts));
        Assert.Equal("The worker's process ended, or lost its lease, during attempt 3 of 3.", result.Error);
    }

    [Fact]
    public async Task A_lost_attempt_waits_for_the_back_off_of_its_policy_and_the_task_is_marked_from_then_on()
    {
        var backend = Timed();
        var id = await AddAsync(backend, Task1() with { Retry = new RetryPolicy { Delay = Lease * 10, MaxDelay = Lease * 10, Jitter = 0.5 } });
        var witness = await BeginAsync(backend, Lease);
        var victim = await BeginAsync(backend, Lease);
        Assert.False((await TakeOneAsync(backend, victim)).WasLost);
        await LeaveAsync(backend, victim);
        await PassAsync(backend, Lease * 1.5, () => backend.Heartbeat(witness));

        Assert.Empty(await TakeAsync(backend, witness));
        var waiting = (await backend.Control<IQueueInspector>()!.FindAsync(id, Token))!;
        Assert.Equal((TaskState.Scheduled, 1), (waiting.State, waiting.Attempt));

        await PassAsync(backend, Lease * 10, () => backend.Heartbeat(witness)); // The jitter only shortens the wait.
        var again = await TakeOneAsync(backend, witness);
        Assert.Equal((2, true), (again.Attempt, again.WasLost));
        await backend.ReleaseAsync(again.Lease, Token);
        Assert.True((await TakeOneAsync(backend, witness)).WasLost);
    }

    [Fact]
    public async Task A_worker_that_ends_in_order_gives_its_tasks_back_at_once_and_uncharged()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var other = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = other, MaxTasks = 1, Queues = ["empty", Defaults.Queue] }, Token);
        var first = Assert.Single(await waiting);
        await backend.ReleaseAsync(first.Lease, Token);
        var mine = await TakeOneAsync(backend, owner);

        await backend.EndWorkerAsync(owner, release: true, Token);

        var task = await TakeOneAsync(backend, other);
        Assert.Equal((id, 1, 3L), (task.Lease.Id, task.Attempt, task.Lease.Epoch));
        Assert.False(await backend.MarkSuccessAsync(mine.Lease, default, Token));
        Assert.False(backend.Heartbeat(owner));
    }

    [Fact]
    public async Task A_worker_that_has_ended_can_reserve_nothing_and_its_wait_ends()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        await backend.EndWorkerAsync(owner, release: true, Token);

        await Assert.ThrowsAsync<WorkerLostException>(() => waiting);
        await Assert.ThrowsAsync<WorkerLostException>(() => TakeAsync(backend, owner).AsTask());
    }

    [Fact]
    public async Task A_worker_that_ends_while_it_waits_is_not_given_its_own_tasks_again()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        await TakeOneAsync(backend, owner);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        await backend.EndWorkerAsync(owner, release: true, Token);

        await Assert.ThrowsAsync<WorkerLostException>(() => waiting);
        var other = await BeginAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, other)).Lease.Id);
    }

    [Fact]
    public async Task What_a_worker_owns_without_knowing_is_given_back_uncharged_and_the_rest_stays()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var other = await BeginAsync(backend);
        await AddManyAsync(backend, 3);
        var known = await TakeOneAsync(backend, owner);
        var lost = await TakeOneAsync(backend, owner);
        var others = await TakeOneAsync(backend, other);

        Assert.Equal(1, await backend.ReconcileAsync(owner, new HashSet<TaskId> { known.Lease.Id }, Token));
        Assert.Equal(0, await backend.ReconcileAsync(owner, new HashSet<TaskId> { known.Lease.Id }, Token));

        Assert.False(await backend.MarkSuccessAsync(lost.Lease, default, Token));
        Assert.True(await backend.MarkSuccessAsync(known.Lease, default, Token));
        Assert.True(await backend.MarkSuccessAsync(others.Lease, default, Token));
        var again = await TakeOneAsync(backend, other);
        Assert.Equal((lost.Lease.Id, 1, 2L), (again.Lease.Id, again.Attempt, again.Lease.Epoch));
    }

    [Fact]
    public async Task A_begin_that_is_cancelled_leaves_no_worker_behind()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        for (var i = 0; i < 20; i++)
        {
            using var cancelling = new CancellationTokenSource();
            var beginning = backend.BeginWorkerAsync(new WorkerRegistration { Lease = Lease, TaskNames = [] }, cancelling.Token).AsTask();
            await cancelling.CancelAsync();
            await ((Task)beginning).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (beginning.IsCompletedSuccessfully)
            {
                await backend.EndWorkerAsync(await beginning, release: true, Token); // It was faster.
            }
        }

        await Eventually.TrueAsync(
            async () => (await InspectorOf(backend).ListWorkersAsync(Token)).Count == 0, "every cancelled begin was undone");
    }
}
