namespace Errand.Contract;

/// <summary>Results: a caller can wait for the end of a task.</summary>
public abstract class ResultsContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_result_can_be_waited_for_by_many_before_the_task_ends()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var waiting = Enumerable.Range(0, 20)
            .Select(_ => backend.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token).AsTask()).ToArray();
        await backend.InitializeAsync(Token);
        Assert.All(waiting, wait => Assert.False(wait.IsCompleted));

        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, Json("5"), Token);

        Assert.All(await Task.WhenAll(waiting), result => Assert.Equal("5"u8.ToArray(), result!.Value.ToArray()));
    }

    [Fact]
    public async Task A_wait_for_a_result_ends_with_null_in_time_and_can_be_repeated()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var waiting = backend.GetResultAsync(id, TimeSpan.FromSeconds(5), Token).AsTask();
        await PassAsync(backend, TimeSpan.FromSeconds(4.5), () => backend.Heartbeat(owner));
        Assert.False(waiting.IsCompleted);
        Clock.Advance(TimeSpan.FromSeconds(0.5));

        Assert.Null(await waiting);
        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token);
        Assert.Equal(TaskState.Succeeded, (await backend.GetResultAsync(id, TimeSpan.FromSeconds(5), Token))?.State);
    }

    [Fact]
    public async Task Waiting_for_an_id_that_never_was_is_an_error_and_not_an_endless_wait()
    {
        var backend = Live();

        var missing = await Assert.ThrowsAsync<TaskNotFoundException>(
            () => backend.GetResultAsync(new TaskId(4_711), Timeout.InfiniteTimeSpan, Token).AsTask());

        Assert.Equal(new TaskId(4_711), missing.Id);
        Assert.Contains("There is no task 4711", missing.Message, StringComparison.Ordinal);
    }
}
