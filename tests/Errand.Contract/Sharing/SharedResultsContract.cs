using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Results of tasks that another process runs.</summary>
public abstract class SharedResultsContract<TStore> : SharedStoreTest<TStore>
    where TStore : SharedStore, new()
{
    [Theory]
    [InlineData(3)]
    [InlineData(400)]
    public async Task Each_of_many_callers_hears_how_its_task_ended_elsewhere(int count)
    {
        var backend = Live();
        var ids = await AddManyAsync(backend, count);
        var waits = ids.Select(id => backend.GetResultAsync(id, Eventually.Bound, Token).AsTask()).ToArray();
        await using var other = Store.CreateBeside(backend);
        var owner = await BeginAsync(other);
        List<ReservedTask> taken = [];
        while (taken.Count < count)
        {
            taken.AddRange(await TakeAsync(other, owner, 1_000));
        }

        for (var i = 0; i < count; i++)
        {
            await SettleAsync(taken[i].Lease, i % 4);
        }

        Assert.Equal(
            Enumerable.Range(0, count).Select(i => (taken[i].Lease.Id, State: (TaskState)(i % 4 == 3 ? 20 : 20 + (i % 4)))).OrderBy(one => one.Id),
            (await Task.WhenAll(waits)).Select(result => (result!.Id, result.State)).OrderBy(one => one.Id));

        async Task SettleAsync(TaskLease lease, int kind) => Assert.True(await other.SettleAsync(
            lease,
            kind switch
            {
                1 => new Settlement.Failed { Error = "no" },
                2 => new Settlement.Cancelled(),
                _ => new Settlement.Succeeded(),
            },
            Token));
    }

    [Fact]
    public async Task Each_of_many_callers_hears_that_its_task_was_removed_elsewhere()
    {
        var backend = Live();
        var ids = await AddManyAsync(backend, 200);
        var waits = ids.Select(id => backend.GetResultAsync(id, Eventually.Bound, Token).AsTask()).ToArray();
        await backend.InitializeAsync(Token);
        await using var other = Store.CreateBeside(backend);
        foreach (var id in ids)
        {
            Assert.True(await InspectorOf(other).DeleteAsync(id, Token));
        }

        foreach (var wait in waits)
        {
            await Assert.ThrowsAsync<TaskNotFoundException>(() => wait);
        }
    }

    [Fact]
    public async Task A_store_that_others_write_to_is_not_written_to_by_workers_that_know_none_of_it()
    {
        var backend = Live();
        await BeginAsync(backend, names: "a");
        await using var other = Store.CreateBeside(backend);
        var idle = await BeginAsync(other, names: "b");
        using var cancellation = new CancellationTokenSource();
        var waiting = other.ReserveAsync(new ReserveRequest { Owner = idle, MaxTasks = 1 }, cancellation.Token).AsTask();
        await AddManyAsync(backend, 20);
        await other.InitializeAsync(Token);

        var id = await AddAsync(backend, Task1("b"));

        Assert.Equal(id, Assert.Single(await waiting.WaitAsync(Eventually.Bound, Token)).Lease.Id);
    }
}
