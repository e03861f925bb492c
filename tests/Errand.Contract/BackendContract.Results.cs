namespace Errand.Contract;

public abstract partial class BackendContract
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

    [Fact]
    public async Task Finished_tasks_are_kept_for_the_retention_and_failed_ones_until_removed()
    {
        var backend = Timed(retention: TimeSpan.FromMinutes(1));
        var owner = await BeginAsync(backend);
        var succeeded = await AddAsync(backend);
        await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token);
        var failed = await AddAsync(backend);
        await backend.MarkFailureAsync((await TakeOneAsync(backend, owner)).Lease, "x", null, Token);

        await PassAsync(backend, TimeSpan.FromSeconds(59), () => backend.Heartbeat(owner));
        Assert.NotNull(await backend.GetResultAsync(succeeded, TimeSpan.Zero, Token));
        await PassAsync(backend, TimeSpan.FromSeconds(5), () => backend.Heartbeat(owner));

        await Assert.ThrowsAsync<TaskNotFoundException>(() => backend.GetResultAsync(succeeded, TimeSpan.Zero, Token).AsTask());
        Assert.Equal(TaskState.Failed, (await backend.GetResultAsync(failed, TimeSpan.Zero, Token))?.State);
    }

    [Fact]
    public async Task Cancelling_the_wait_for_an_enqueue_abandons_the_wait_and_not_the_commit()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var known = 0;
        for (var i = 0; i < 200; i++)
        {
            using var cancellation = new CancellationTokenSource();
            var enqueue = backend.EnqueueAsync([Task1()], cancellation.Token).AsTask();
            await cancellation.CancelAsync();
            try
            {
                await enqueue;
                known++;
            }
            catch (OperationCanceledException)
            {
                // The task exists all the same.
            }
        }

        Assert.Equal(200, (await TakeAsync(backend, owner, 1_000)).Count);
        Assert.InRange(known, 0, 200);
    }
}
