using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Retention: finished tasks are kept for as long as their state says.</summary>
public abstract class RetentionContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
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
    public async Task Finished_tasks_are_kept_for_as_long_as_their_state_says_and_go_with_their_history_and_progress()
    {
        var minute = TimeSpan.FromMinutes(1);
        var backend = Keep(Store.CreateKeeping(Clock, failed: 2 * minute, cancelled: 3 * minute, expired: 4 * minute));
        var owner = await BeginAsync(backend, TimeSpan.FromDays(1));
        var succeeded = await AddAsync(backend);
        Assert.True(await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token));
        var failed = await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);
        Assert.True(await backend.SaveCheckpointAsync(first.Lease, Json("1"), Token));
        Assert.True(await backend.MarkFailureAsync(first.Lease, "again", TimeSpan.Zero, Token));
        Assert.True(await backend.MarkFailureAsync((await TakeOneAsync(backend, owner)).Lease, "no", null, Token));
        var cancelled = await AddAsync(backend);
        Assert.Equal(CancelOutcome.Cancelled, await backend.CancelAsync(cancelled, Token));
        var expired = await AddAsync(backend, ExpiringIn(TimeSpan.Zero));
        Assert.Equal(TaskState.Expired, (await backend.GetResultAsync(expired, Eventually.Bound, Token))!.State);
        var live = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromDays(1) });

        TaskId[] byRetention = [succeeded, failed, cancelled, expired];
        for (var gone = 0; gone <= byRetention.Length; gone++)
        {
            await Eventually.TrueAsync(async () => await AreThereAsync(byRetention[..gone]) == 0, $"{gone} are removed");
            Assert.Equal(byRetention.Length - gone, await AreThereAsync(byRetention[gone..]));
            await PassAsync(backend, minute + TimeSpan.FromSeconds(5));
        }

        Assert.Equal("", await CheckpointAsync(backend, failed));
        Assert.Null(await StateAsync(backend, live));

        async Task<int> AreThereAsync(TaskId[] ids)
        {
            await PassAsync(backend, TimeSpan.FromMilliseconds(500));
            var there = 0;
            foreach (var id in ids)
            {
                there += await backend.Control<IQueueInspector>()!.FindAsync(id, Token) is null ? 0 : 1;
            }

            return there;
        }
    }
}
