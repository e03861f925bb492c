namespace Errand.Contract;

public abstract partial class BackendContract
{
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
