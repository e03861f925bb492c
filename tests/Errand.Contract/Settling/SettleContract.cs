namespace Errand.Contract;

/// <summary>Settling: each outcome is stored once, and only under the lease of the last start.</summary>
public abstract class SettleContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    /// <summary>Outcomes of one turn may be written together, which must not tell one caller of another's.</summary>
    [Fact]
    public async Task Each_of_many_outcomes_given_at_once_learns_of_its_own_lease()
    {
        var backend = Live();
        var (first, second) = (await BeginAsync(backend), await BeginAsync(backend));
        var ids = await AddManyAsync(backend, 100);
        ReservedTask[] tasks = [.. await TakeAsync(backend, first, 37), .. await TakeAsync(backend, second, 63)];
        var released = tasks.Where((_, place) => place % 9 == 4).Select(task => task.Lease).ToArray();
        foreach (var lease in released)
        {
            Assert.True(await backend.SettleAsync(lease, new Settlement.Released(), Token));
        }

        var outcomes = await Task.WhenAll(tasks.Concat(tasks).Select(async task => (
            task.Lease,
            IsSettled: await Task.Run(() => backend.SettleAsync(task.Lease, new Settlement.Succeeded { Result = Json("1") }, Token).AsTask()))));

        foreach (var both in outcomes.GroupBy(outcome => outcome.Lease))
        {
            Assert.Equal(released.Contains(both.Key) ? 0 : 1, both.Count(outcome => outcome.IsSettled));
        }

        foreach (var id in ids.Except(released.Select(lease => lease.Id)))
        {
            Assert.Equal(TaskState.Succeeded, (await backend.GetResultAsync(id, TimeSpan.Zero, Token))?.State);
        }

        Assert.Equal(released.Select(lease => lease.Id).Order(), (await TakeAsync(backend, first)).Select(task => task.Lease.Id).Order());
    }

    [Fact]
    public async Task A_snoozed_task_waits_and_its_attempt_is_given_back()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);

        Assert.True(await backend.SnoozeAsync(first.Lease, TimeSpan.FromSeconds(10), Token));
        Assert.False(await backend.SnoozeAsync(first.Lease, TimeSpan.Zero, Token));

        Clock.Advance(TimeSpan.FromMilliseconds(9_999));
        Assert.Empty(await TakeAsync(backend, owner));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var second = await TakeOneAsync(backend, owner);
        Assert.Equal((1, 2L), (second.Attempt, second.Lease.Epoch));
        Assert.True(await backend.SnoozeAsync(second.Lease, TimeSpan.Zero, Token));
        Assert.Equal((1, 3L), await TakeOneAsync(backend, owner) is var third ? (third.Attempt, third.Lease.Epoch) : default);
    }

    [Fact]
    public async Task A_success_is_stored_once_with_its_result()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);
        var enqueued = Clock.GetUtcNow();
        Clock.Advance(TimeSpan.FromMilliseconds(70));

        Assert.True(await backend.MarkSuccessAsync(task.Lease, Json("{\"n\":1}"), Token));
        Assert.False(await backend.MarkSuccessAsync(task.Lease, Json("{\"n\":2}"), Token));
        Assert.False(await backend.MarkFailureAsync(task.Lease, "late", null, Token));
        Assert.False(await backend.ReleaseAsync(task.Lease, Token));

        var result = (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!;
        Assert.Equal((id, "a", Defaults.Queue, TaskState.Succeeded), (result.Id, result.Name, result.Queue, result.State));
        Assert.Equal((1, enqueued, Clock.GetUtcNow()), (result.Attempts, result.EnqueuedAt, result.FinishedAt));
        Assert.Equal("{\"n\":1}"u8.ToArray(), result.Value.ToArray());
        Assert.Null(result.Error);
    }

    [Fact]
    public async Task A_failure_with_a_retry_waits_for_it_and_counts_epoch_and_attempt()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);
        Assert.True(await backend.MarkFailureAsync(first.Lease, "no", TimeSpan.FromSeconds(10), Token));

        Clock.Advance(TimeSpan.FromMilliseconds(9_999));
        Assert.Empty(await TakeAsync(backend, owner));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var second = await TakeOneAsync(backend, owner);

        Assert.Equal((2, 2L), (second.Attempt, second.Lease.Epoch));
        Assert.True(await backend.MarkFailureAsync(second.Lease, "no", TimeSpan.Zero, Token));
        Assert.Equal((3, 3L), ((await TakeOneAsync(backend, owner)) is var third ? (third.Attempt, third.Lease.Epoch) : default));
    }

    [Fact]
    public async Task A_failure_for_good_is_kept_with_its_error()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var task = await TakeOneAsync(backend, owner);
        const string Error = "NUL \0, quotes '\" --, right-to-left \u202E, lone emoji 💥 and\r\nlines";

        Assert.True(await backend.MarkFailureAsync(task.Lease, Error, null, Token));

        var result = (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!;
        Assert.Equal((TaskState.Failed, Error), (result.State, result.Error));
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task A_release_gives_the_attempt_back_but_not_the_epoch()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);

        Assert.True(await backend.ReleaseAsync(first.Lease, Token));
        var second = await TakeOneAsync(backend, owner);

        Assert.Equal((1, 2L), (second.Attempt, second.Lease.Epoch));
    }

    [Fact]
    public async Task A_stale_epoch_can_change_nothing()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var stale = (await TakeOneAsync(backend, owner)).Lease;
        await backend.ReleaseAsync(stale, Token);
        var current = (await TakeOneAsync(backend, owner)).Lease;

        Assert.False(await backend.MarkSuccessAsync(stale, Json("1"), Token));
        Assert.False(await backend.MarkFailureAsync(stale, "x", null, Token));
        Assert.False(await backend.MarkFailureAsync(stale, "x", TimeSpan.Zero, Token));
        Assert.False(await backend.ReleaseAsync(stale, Token));
        Assert.False(await backend.MarkSuccessAsync(current with { Owner = new WorkerId(current.Owner.Value + 1) }, Json("1"), Token));
        Assert.Null(await backend.GetResultAsync(id, TimeSpan.Zero, Token));
        Assert.Empty(await TakeAsync(backend, owner));

        Assert.True(await backend.MarkSuccessAsync(current, Json("2"), Token));
        Assert.Equal("2"u8.ToArray(), (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.Value.ToArray());
    }
}
