namespace Errand.Contract;

/// <summary>Deleting a task.</summary>
public abstract class DeleteContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_that_waits_or_has_ended_is_deleted_with_all_that_is_known_of_it()
    {
        var backend = Timed();
        var tasks = await AddInAllStatesAsync(backend);
        var inspector = InspectorOf(backend);
        foreach (var (id, _, _, state, _) in tasks.DistinctBy(task => task.State))
        {
            Assert.Equal(state != TaskState.Running, await inspector.DeleteAsync(id, Token));

            Assert.Equal(state == TaskState.Running, await inspector.FindAsync(id, Token) is not null);
            Assert.Equal(state == TaskState.Running, (await ListAllAsync(backend, null, 1_000)).Exists(task => task.Id == id));
            if (state != TaskState.Running)
            {
                await Assert.ThrowsAsync<TaskNotFoundException>(() => inspector.DeleteAsync(id, Token).AsTask());
                await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.GetResultAsync(id, TimeSpan.Zero, Token).AsTask());
            }
        }

        Assert.Equal(500 - 6, (await ListAllAsync(backend, null, 1_000)).Count);
    }

    [Fact]
    public async Task Who_waits_for_a_task_that_is_deleted_learns_that_there_is_none()
    {
        var backend = Live();
        var id = await AddAsync(backend);
        var waiting = backend.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token).AsTask();
        await backend.InitializeAsync(Token);

        await InspectorOf(backend).DeleteAsync(id, Token);

        var missing = await Assert.ThrowsAsync<TaskNotFoundException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(id, missing.Id);
    }
}
