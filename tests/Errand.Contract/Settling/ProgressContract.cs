namespace Errand.Contract;

/// <summary>Progress and checkpoints of a running task.</summary>
public abstract class ProgressContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_checkpoint_is_kept_across_attempts_and_replaced_by_the_next()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);
        Assert.Equal("", await CheckpointAsync(backend, id));

        Assert.True(await backend.SaveCheckpointAsync(first.Lease, Json("1"), Token));
        Assert.True(await backend.SaveCheckpointAsync(first.Lease, Json("{\"n\":2}"), Token));
        Assert.True(await backend.ReportProgressAsync(first.Lease, 0.5, "half", Token));
        Assert.True(await backend.MarkFailureAsync(first.Lease, "no", TimeSpan.Zero, Token));
        var second = await TakeOneAsync(backend, owner);

        Assert.Equal("{\"n\":2}", await CheckpointAsync(backend, id));
        Assert.True(await backend.SaveCheckpointAsync(second.Lease, Json("3"), Token));
        Assert.Equal("3", await CheckpointAsync(backend, id));
    }

    [Fact]
    public async Task Who_has_lost_the_lease_changes_neither_progress_nor_checkpoint()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);
        Assert.True(await backend.ReleaseAsync(first.Lease, Token));
        var second = await TakeOneAsync(backend, owner);
        Assert.True(await backend.SaveCheckpointAsync(second.Lease, Json("2"), Token));

        Assert.False(await backend.SaveCheckpointAsync(first.Lease, Json("1"), Token));
        Assert.False(await backend.ReportProgressAsync(first.Lease, 0.1, "late", Token));
        Assert.False(await backend.SaveCheckpointAsync(second.Lease with { Owner = new WorkerId(owner.Value + 1) }, Json("0"), Token));

        Assert.Equal("2", await CheckpointAsync(backend, id));
        Assert.True(await backend.MarkSuccessAsync(second.Lease, default, Token));
        Assert.False(await backend.SaveCheckpointAsync(second.Lease, Json("9"), Token));
    }

    [Fact]
    public async Task Progress_without_words_or_number_is_progress()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);

        Assert.True(await backend.ReportProgressAsync(task.Lease, 1, null, Token));
        Assert.True(await backend.ReportProgressAsync(task.Lease, null, "'quotes' \u202E 💥", Token));
    }
}
