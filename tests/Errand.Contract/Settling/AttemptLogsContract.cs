namespace Errand.Contract;

/// <summary>What handlers log is kept with the attempt.</summary>
public abstract class AttemptLogsContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task The_log_of_each_attempt_is_found_with_it()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var first = await TakeOneAsync(backend, owner);
        Assert.True(await SaveAsync(backend, first.Lease, "one\n"));
        await FailAsync(backend, first.Lease, "no", TimeSpan.Zero);
        var second = await TakeOneAsync(backend, owner);
        Assert.Null((await FoundAsync(backend, id)).Log);
        Assert.True(await SaveAsync(backend, second.Lease, "draft"));
        Assert.True(await SaveAsync(backend, second.Lease, "two \0 ⚙\n"));
        Assert.Equal("two \0 ⚙\n", (await FoundAsync(backend, id)).Log);
        await backend.SettleAsync(second.Lease, new Settlement.Succeeded(), Token);

        var found = await FoundAsync(backend, id);
        Assert.Equal("two \0 ⚙\n", found.Log);
        Assert.Equal("one\n", Assert.Single(found.History).Log);
    }

    [Fact]
    public async Task It_is_stored_also_when_the_attempt_has_been_settled_or_its_lease_was_lost()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var lost = await TakeOneAsync(backend, owner);
        await backend.ReleaseAsync(lost.Lease, Token);
        var second = await TakeOneAsync(backend, owner);
        await backend.SettleAsync(second.Lease, new Settlement.Succeeded(), Token);

        Assert.True(await SaveAsync(backend, lost.Lease, "of the start that was given back"));
        Assert.Null((await FoundAsync(backend, id)).Log);
        Assert.True(await SaveAsync(backend, second.Lease, "afterwards"));
        Assert.Equal("afterwards", (await FoundAsync(backend, id)).Log);
    }

    [Fact]
    public async Task Nothing_is_stored_for_a_start_that_never_was_or_a_task_that_is_gone()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        Assert.False(await SaveAsync(backend, lease with { Epoch = 2 }, "no such start"));
        Assert.True(await SaveAsync(backend, lease, "there"));
        await backend.SettleAsync(lease, new Settlement.Succeeded(), Token);
        Assert.True(await InspectorOf(backend).DeleteAsync(id, Token));
        Assert.False(await SaveAsync(backend, lease, "gone"));

        // The id again: what was kept of the task that is gone is not the new one's.
        await AddAsync(backend, Task1() with { Id = id });
        lease = (await TakeOneAsync(backend, owner)).Lease;
        Assert.Null((await FoundAsync(backend, id)).Log);
    }

    [Fact]
    public async Task The_logs_of_the_last_starts_are_kept()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { Retry = new RetryPolicy { MaxAttempts = 100, Delay = TimeSpan.Zero } });
        for (var i = 1; i <= Defaults.AttemptsKept + 2; i++)
        {
            var lease = (await TakeOneAsync(backend, owner)).Lease;
            await SaveAsync(backend, lease, $"log {i}");
            await FailAsync(backend, lease, "no", TimeSpan.Zero);
        }

        var found = await FoundAsync(backend, id);
        Assert.Equal(Enumerable.Range(3, Defaults.AttemptsKept).Select(i => $"log {i}"), found.History.Select(one => one.Log));
    }

    [Fact]
    public async Task It_goes_with_its_task_when_retention_ends_and_stays_when_the_task_is_run_again()
    {
        var backend = Timed(TimeSpan.FromMinutes(1));
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1() with { Retry = RetryPolicy.None });
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        await SaveAsync(backend, lease, "it fails");
        await FailAsync(backend, lease, "no");
        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));
        Assert.Equal("it fails", Assert.Single((await FoundAsync(backend, id)).History).Log);

        lease = (await TakeOneAsync(backend, owner)).Lease;
        await SaveAsync(backend, lease, "it works");
        await backend.SettleAsync(lease, new Settlement.Succeeded(), Token);
        await PassAsync(backend, TimeSpan.FromMinutes(3), () => backend.Heartbeat(owner));
        Assert.Null(await InspectorOf(backend).FindAsync(id, Token));
        Assert.False(await SaveAsync(backend, lease, "too late"));
    }

    [Fact]
    public async Task A_log_that_is_too_long_is_refused()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, owner)).Lease;
        var longest = new string('ä', 65_536);
        Assert.True(await SaveAsync(backend, lease, longest));
        Assert.Equal(longest, (await FoundAsync(backend, id)).Log);
        var e = await Assert.ThrowsAsync<ArgumentException>(() => SaveAsync(backend, lease, longest + "ä").AsTask());
        Assert.Contains("65,537 characters; the limit is 65,536", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentNullException>(() => SaveAsync(backend, lease, null!).AsTask());
    }

    private static ValueTask<bool> SaveAsync(IBackend backend, TaskLease lease, string log) =>
        backend.Control<IAttemptLogs>()!.SaveLogAsync(lease, log, Token);
}
