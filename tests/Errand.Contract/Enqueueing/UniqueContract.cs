namespace Errand.Contract;

/// <summary>Unique keys: at most one task of a name and key waits or runs, for as long as its options say.</summary>
public abstract class UniqueContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_is_not_retried_while_another_holds_its_unique_key()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var unique = Task1() with { UniqueKey = "one" };
        var id = Assert.Single(await AddFailedAsync(backend, owner, "x", unique));
        var rival = await AddAsync(backend, unique);
        await AddAsync(backend, Task1("b") with { UniqueKey = "one" }); // Of another name: another key.
        Assert.NotEqual(id, rival);
        Assert.False(await InspectorOf(backend).RetryAsync(id, Token));
        Assert.Equal(0, await InspectorOf(backend).RetryAsync(new TaskFilter(), Token));
        Assert.Equal(TaskState.Failed, (await FoundAsync(backend, id)).State);

        await InspectorOf(backend).CancelAsync(rival, Token);

        Assert.True(await InspectorOf(backend).RetryAsync(id, Token));
        Assert.Equal(new EnqueuedTask { Id = id, IsNew = false }, Assert.Single(await backend.EnqueueAsync([unique], Token)));
    }

    [Fact]
    public async Task A_deleted_task_never_starts_and_gives_its_unique_key_back()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var unique = Task1() with { UniqueKey = "one" };
        var id = await AddAsync(backend, unique);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "no", TimeSpan.Zero);
        Assert.True(await InspectorOf(backend).DeleteAsync(id, Token));

        Assert.Empty(await TakeAsync(backend, owner));
        var next = await AddAsync(backend, unique);
        Assert.NotEqual(id, next);
        Assert.Empty((await FoundAsync(backend, next)).History);
    }

    [Fact]
    public async Task A_unique_task_that_is_put_off_as_a_worker_begins_to_wait_is_started_when_it_is_due()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        for (var i = 0; i < 20; i++)
        {
            Clock.Advance(TimeSpan.FromSeconds(5)); // Long enough for a store to look whether anything is due, in the turn that follows.
            using var cancellation = new CancellationTokenSource();
            var waiting = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, cancellation.Token).AsTask();
            var id = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMilliseconds(1), UniqueKey = $"{i}" });
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

            Clock.Advance(TimeSpan.FromMilliseconds(1));

            Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
        }
    }

    private static NewTask Unique(string key, string name = "a") => Task1(name) with { UniqueKey = key };

    private static async Task<EnqueuedTask> EnqueueAsync(IBackend backend, NewTask task) =>
        (await backend.EnqueueAsync([task], Token))[0];

    [Fact]
    public async Task While_a_task_lives_another_of_its_key_finds_it()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var first = await EnqueueAsync(backend, Unique("k"));
        Assert.True(first.IsNew);

        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, Unique("k")));
        var task = await TakeOneAsync(backend, owner);
        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, Unique("k")));
        Assert.True(await backend.MarkFailureAsync(task.Lease, "no", TimeSpan.FromDays(1), Token));
        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, Unique("k")));

        Assert.True((await EnqueueAsync(backend, Unique("other"))).IsNew);
        Assert.True((await EnqueueAsync(backend, Unique("k", "b"))).IsNew);
        Assert.True((await EnqueueAsync(backend, Task1())).IsNew);
    }

    [Fact]
    public async Task A_key_is_free_when_its_task_has_ended_in_whatever_way()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        Func<NewTask, Task<EnqueuedTask>> add = task => EnqueueAsync(backend, task);

        Assert.True((await add(Unique("k"))).IsNew);
        Assert.True(await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token));
        Assert.True((await add(Unique("k"))).IsNew);
        Assert.True(await backend.MarkFailureAsync((await TakeOneAsync(backend, owner)).Lease, "no", null, Token));
        var cancelled = await add(Unique("k"));
        Assert.True(cancelled.IsNew);
        await backend.CancelAsync(cancelled.Id, Token);
        Assert.True((await add(Unique("k") with { ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(1) })).IsNew);
        Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(await TakeAsync(backend, owner));
        Assert.True((await add(Unique("k"))).IsNew);
    }

    [Fact]
    public async Task A_key_with_a_period_stays_taken_until_it_has_passed_though_its_task_has_ended()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var task = Unique("k") with { UniqueFor = TimeSpan.FromMinutes(1) };
        var first = await EnqueueAsync(backend, task);
        Assert.True(await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, default, Token));

        Clock.Advance(TimeSpan.FromMilliseconds(59_999));
        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, task));
        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, Unique("k")));
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        var second = await EnqueueAsync(backend, task);

        Assert.True(second.IsNew);
        Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(second with { IsNew = false }, await EnqueueAsync(backend, task)); // It lives: the period is not the end of it.
    }

    [Fact]
    public async Task Keys_are_unique_within_one_call_and_its_answers_are_in_order()
    {
        var backend = Live();
        var old = await EnqueueAsync(backend, Unique("old"));

        var answers = await backend.EnqueueAsync(
            [Unique("z"), Unique("a"), Unique("old"), Task1(), Unique("z"), Unique("a")], Token);

        Assert.Equal([true, true, false, true, false, false], answers.Select(one => one.IsNew));
        Assert.Equal(
            [answers[0].Id, answers[1].Id, old.Id, answers[3].Id, answers[0].Id, answers[1].Id], answers.Select(one => one.Id));
        Assert.Equal(4, (await TakeAsync(backend, await BeginAsync(backend))).Count);
    }

    [Fact]
    public async Task A_thousand_racing_callers_make_one_task()
    {
        var backend = Live();
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(
            n => Task.Run(() => EnqueueAsync(backend, Unique("race") with { UniqueFor = n % 2 == 0 ? TimeSpan.FromHours(1) : null }))));

        Assert.Single(answers, one => one.IsNew);
        Assert.Single(answers.Select(one => one.Id).Distinct());
        Assert.Single(await TakeAsync(backend, await BeginAsync(backend)));
    }

    [Fact]
    public async Task Racing_batches_in_any_order_of_their_keys_make_each_task_once()
    {
        var backend = Live();
        var keys = Enumerable.Range(0, 40).Select(n => $"k{n}").ToArray();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(n => Task.Run(async () =>
        {
            var order = keys.ToArray();
            new Random(n).Shuffle(order);
            return await backend.EnqueueAsync([.. order.Select(key => Unique(key))], Token);
        })));

        Assert.Equal(40, answers.SelectMany(one => one).Count(one => one.IsNew));
        Assert.Equal(40, (await TakeAsync(backend, await BeginAsync(backend))).Count);
    }

    [Theory]
    [InlineData("'; drop table tasks; --")]
    [InlineData("%_\"\\`$1 @key :key")]
    [InlineData("\u202Eright to left, \u0001\t\r\n💥 é e\u0301")]
    public async Task A_key_is_data_whatever_it_holds(string key)
    {
        var backend = Live();
        var first = await EnqueueAsync(backend, Unique(key));
        var longest = Unique(string.Concat(Enumerable.Repeat("💥", 256)));

        Assert.Equal(first with { IsNew = false }, await EnqueueAsync(backend, Unique(key)));
        Assert.True((await EnqueueAsync(backend, longest)).IsNew);
        Assert.False((await EnqueueAsync(backend, longest)).IsNew);
        Assert.True((await EnqueueAsync(backend, Unique(key + " "))).IsNew);
    }
}
