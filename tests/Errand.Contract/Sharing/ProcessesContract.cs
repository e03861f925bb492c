using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Two backends of one store, as two processes have them.</summary>
public abstract class ProcessesContract<TStore> : SharedStoreTest<TStore>
    where TStore : SharedStore, new()
{
    [Fact]
    public async Task A_pause_is_seen_by_others_and_outlives_who_asked_for_it()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        await using (var other = Store.CreateBeside(backend))
        {
            Assert.True(await other.Control<IQueueInspector>()!.PauseAsync(Defaults.Queue, Token));
        }

        var id = await AddAsync(backend);
        await backend.InitializeAsync(Token);
        Assert.False(waiting.IsCompleted);
        await using var another = Store.CreateBeside(backend);
        Assert.Equal([Defaults.Queue], (await another.Control<IQueueInspector>()!.GetOverviewAsync(Token)).PausedQueues);
        Assert.True(await another.Control<IQueueInspector>()!.ResumeAsync(Defaults.Queue, Token));
        Assert.Equal(id, Assert.Single(await waiting.WaitAsync(Eventually.Bound, Token)).Lease.Id);
    }

    [Fact]
    public async Task A_worker_of_another_backend_is_told_that_its_task_is_to_be_cancelled()
    {
        var backend = Live();
        var told = new TaskCompletionSource<TaskLease>();
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"], CancelRequested = lease => told.TrySetResult(lease),
            },
            Token);
        await using var other = Store.CreateBeside(backend);
        var id = await AddAsync(other);
        var task = await TakeOneAsync(backend, owner);

        Assert.Equal(CancelOutcome.Requested, await other.CancelAsync(id, Token));

        Assert.Equal(task.Lease, await told.Task.WaitAsync(Eventually.Bound, Token));
        Assert.True(await backend.MarkCancelledAsync(task.Lease, null, Token));
        Assert.Equal(TaskState.Cancelled, (await other.GetResultAsync(id, Eventually.Bound, Token))!.State);
    }
}
