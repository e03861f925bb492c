namespace Errand.Contract;

/// <summary>The list of workers.</summary>
public abstract class ListWorkersContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task Workers_are_listed_by_id_with_what_each_serves_knows_and_holds()
    {
        var backend = Timed();
        await backend.InitializeAsync(Token);
        Assert.Empty(await InspectorOf(backend).ListWorkersAsync(Token));
        var first = await backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = Lease, TaskNames = ["b", "a"], Queues = ["default", new QueueSubscription("mail-*", 6), "*"], Concurrency = 3,
            },
            Token);
        Clock.Advance(TimeSpan.FromSeconds(1));
        var second = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = Lease * 2, TaskNames = [] }, Token);
        await AddManyAsync(backend, 3);
        var leases = (await TakeAsync(backend, first, 2)).Select(task => task.Lease).ToArray();

        var workers = await InspectorOf(backend).ListWorkersAsync(Token);

        Assert.Equal(workers.Select(worker => worker.Id).Order(), workers.Select(worker => worker.Id));
        Assert.Equal(2, workers.Count);
        var one = workers.Single(worker => worker.Id == first);
        Assert.Equal((Environment.MachineName, (long)Environment.ProcessId), (one.Host, one.ProcessId));
        Assert.Equal((Lease, Clock.GetUtcNow() - TimeSpan.FromSeconds(1), true, 3), (one.Lease, one.StartedAt, one.IsLive, one.Concurrency));
        Assert.Equal(["default", new("mail-*", 6), "*"], one.Queues);
        Assert.Equal(["a", "b"], one.TaskNames);
        Assert.Equal(leases, one.Leases);
        var other = workers.Single(worker => worker.Id == second);
        Assert.Equal([Defaults.Queue], other.Queues);
        Assert.Equal((0, 0, 0), (other.Concurrency, other.TaskNames.Count, other.Leases.Count));
    }

    [Fact]
    public async Task A_worker_that_is_not_heard_of_is_listed_as_dead_and_one_that_has_ended_not_at_all()
    {
        var backend = Timed();
        var ends = await BeginAsync(backend, Lease);
        var leaves = await BeginAsync(backend, Lease);
        await backend.EndWorkerAsync(ends, release: true, Token);
        await LeaveAsync(backend, leaves);
        var left = Assert.Single(await InspectorOf(backend).ListWorkersAsync(Token));
        Assert.Equal((leaves, true), (left.Id, left.IsLive));

        Clock.Advance(Lease);

        Assert.False(Assert.Single(await InspectorOf(backend).ListWorkersAsync(Token)).IsLive);
    }
}
