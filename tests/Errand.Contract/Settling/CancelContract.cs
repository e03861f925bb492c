using System.Collections.Concurrent;
using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Cancelling: a waiting task ends at once, and the worker of a running one learns of it.</summary>
public abstract class CancelContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private static ValueTask<WorkerId> BeginAsync(IBackend backend, ConcurrentQueue<TaskLease> told) =>
        backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"], CancelRequested = told.Enqueue }, Token);

    [Fact]
    public async Task A_task_that_waits_is_cancelled_at_once_and_never_starts()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var pending = await AddAsync(backend);
        var scheduled = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromDays(1) });
        var result = backend.GetResultAsync(pending, TimeSpan.FromSeconds(30), Token).AsTask();

        Assert.Equal(CancelOutcome.Cancelled, await backend.CancelAsync(pending, Token));
        Assert.Equal(CancelOutcome.Cancelled, await backend.CancelAsync(scheduled, Token));

        Assert.Equal((TaskState.Cancelled, 0, null), (await result) is { } ended ? (ended.State, ended.Attempts, ended.Error) : default);
        Assert.Equal(TaskState.Cancelled, await StateAsync(backend, scheduled));
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task A_task_that_has_ended_cannot_be_cancelled_and_one_that_never_was_is_not_found()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        Assert.True(await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token));

        Assert.Equal(CancelOutcome.AlreadyFinished, await backend.CancelAsync(id, Token));
        Assert.Equal(TaskState.Succeeded, await StateAsync(backend, id));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.CancelAsync(new TaskId(id.Value + 1_000), Token).AsTask());
    }

    [Fact]
    public async Task The_worker_of_a_running_task_is_told_and_ends_it_as_cancelled()
    {
        var backend = Live();
        var told = new ConcurrentQueue<TaskLease>();
        var owner = await BeginAsync(backend, told);
        var id = await AddAsync(backend);
        await AddAsync(backend);
        var tasks = await TakeAsync(backend, owner);

        Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));

        await Eventually.TrueAsync(() => !told.IsEmpty, "the worker is told");
        Assert.All(told, lease => Assert.Equal(tasks[0].Lease, lease));
        Assert.True(await backend.MarkCancelledAsync(tasks[0].Lease, "heard", Token));
        Assert.False(await backend.MarkCancelledAsync(tasks[0].Lease, "twice", Token));
        var ended = (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!;
        Assert.Equal((TaskState.Cancelled, 1, "heard"), (ended.State, ended.Attempts, ended.Error));
    }

    [Fact]
    public async Task A_worker_is_told_again_until_it_has_settled_the_task()
    {
        var backend = Live();
        var told = new ConcurrentQueue<TaskLease>();
        var owner = await BeginAsync(backend, told);
        var id = await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);

        await backend.CancelAsync(id, Token);

        await Eventually.TrueAsync(() => told.Count >= 2, "it is told twice");
        Assert.True(await backend.MarkCancelledAsync(task.Lease, null, Token));
    }

    [Fact]
    public async Task A_handler_that_succeeds_all_the_same_has_succeeded()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);

        Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));

        Assert.True(await backend.MarkSuccessAsync(task.Lease, default, Token));
        Assert.Equal(TaskState.Succeeded, await StateAsync(backend, id));
    }

    [Fact]
    public async Task A_cancelled_task_is_never_tried_again()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddManyAsync(backend, 4);
        var tasks = await TakeAsync(backend, owner);
        foreach (var id in ids)
        {
            Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));
            Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));
        }

        Assert.True(await backend.MarkFailureAsync(tasks[0].Lease, "no", TimeSpan.Zero, Token));
        Assert.True(await backend.SnoozeAsync(tasks[1].Lease, TimeSpan.Zero, Token));
        Assert.True(await backend.ReleaseAsync(tasks[2].Lease, Token));
        await backend.EndWorkerAsync(owner, release: true, Token);

        foreach (var id in ids)
        {
            Assert.Equal(TaskState.Cancelled, await StateAsync(backend, id));
        }

        Assert.Equal("no", (await backend.GetResultAsync(ids[0], TimeSpan.Zero, Token))!.Error);
        Assert.Empty(await TakeAsync(backend, await BeginAsync(backend)));
    }

    [Fact]
    public async Task A_cancelled_task_whose_worker_is_lost_ends_as_cancelled()
    {
        var backend = Timed();
        var lost = await BeginAsync(backend, TimeSpan.FromSeconds(5));
        var id = await AddAsync(backend);
        await TakeOneAsync(backend, lost);
        await backend.EndWorkerAsync(lost, release: false, Token);
        Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));

        var owner = await BeginAsync(backend, TimeSpan.FromDays(1));
        await PassAsync(backend, TimeSpan.FromSeconds(8));

        var ended = (await backend.GetResultAsync(id, TimeSpan.FromSeconds(30), Token))!;
        Assert.Equal(TaskState.Cancelled, ended.State);
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task A_worker_hears_of_each_of_many_cancels()
    {
        var backend = Live();
        var told = new System.Collections.Concurrent.ConcurrentDictionary<TaskLease, int>();
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"],
                CancelRequested = lease => told.AddOrUpdate(lease, 1, (_, times) => times + 1),
            },
            Token);
        var ids = await AddManyAsync(backend, 300);
        var leases = (await TakeAsync(backend, owner, 1_000)).Select(task => task.Lease).ToArray();

        foreach (var id in ids)
        {
            Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));
        }

        await Errand.TestKit.Eventually.TrueAsync(() => told.Count == 300, "the worker hears of all");
        Assert.Equal(leases.Select(lease => lease.Id).Order(), told.Keys.Select(lease => lease.Id).Order());
        Assert.InRange(told.Values.Sum(), 300, 300 * 30); // Not each of them again for each that follows.
    }
}
