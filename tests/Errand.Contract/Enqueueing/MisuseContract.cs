using System.Collections;

namespace Errand.Contract;

/// <summary>Bad calls: each fails by itself, enqueues nothing, and costs no other caller anything.</summary>
public abstract class MisuseContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Theory]
    [MemberData(nameof(BadTasks.Names), MemberType = typeof(BadTasks))]
    public async Task A_bad_task_enqueues_nothing_of_its_call_and_harms_no_other(string bad)
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        var before = AddAsync(backend);
        var refused = backend.EnqueueAsync([Task1(), BadTasks.Make(bad)!, Task1()], Token).AsTask();
        var after = AddAsync(backend);

        var exception = await Assert.ThrowsAnyAsync<Exception>(() => refused);

        Assert.True(exception is ArgumentException || bad == "payload gone", exception.ToString());
        var ids = new[] { await before, await after, await AddAsync(backend) };
        Assert.Equal(ids.Order(), (await InspectorOf(backend).ListAsync(cancellationToken: Token)).Tasks.Select(task => task.Id).Order());
    }

    [Fact]
    public async Task The_extremes_that_are_allowed_are_kept_and_read_again()
    {
        var backend = Live();
        NewTask[] tasks =
        [
            Task1() with { Priority = int.MinValue },
            Task1() with { Priority = int.MaxValue, ExpiresAt = DateTimeOffset.MaxValue, Timeout = TimeSpan.FromDays(30) },
            Task1() with { DueAt = DateTimeOffset.UnixEpoch },
            Task1() with { DueAt = DateTimeOffset.MaxValue },
            Task1() with { Delay = TimeSpan.FromDays(3650), UniqueKey = new string('k', 512), UniqueFor = TimeSpan.FromDays(3650) },
        ];
        var ids = (await backend.EnqueueAsync(tasks, Token)).Select(task => task.Id).ToArray();

        var page = await InspectorOf(backend).ListAsync(cancellationToken: Token);

        Assert.Equal(ids.Order(), page.Tasks.Select(task => task.Id).Order());
        Assert.Equal(9999, (await FoundAsync(backend, ids[3])).DueAt.Year);
        var owner = await BeginAsync(backend);
        Assert.Equal([ids[1], ids[2], ids[0]], (await TakeAsync(backend, owner)).Select(task => task.Lease.Id));
    }

    [Fact]
    public async Task A_list_that_throws_is_its_callers_alone()
    {
        var backend = Live();
        var before = AddAsync(backend);
        await Assert.ThrowsAsync<FormatException>(() => backend.EnqueueAsync(new Broken(), Token).AsTask());
        Assert.Equal(2, new[] { await before, await AddAsync(backend) }.Distinct().Count());
        Assert.Equal(2, (await InspectorOf(backend).ListAsync(cancellationToken: Token)).Tasks.Count);
    }

    [Fact]
    public async Task What_a_caller_changes_after_the_call_changes_no_task()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        for (var i = 0; i < 50; i++)
        {
            var payload = "{\"n\":1}"u8.ToArray();
            NewTask[] tasks = [Task1() with { Payload = payload }, Task1() with { Payload = payload }];
            var enqueuing = backend.EnqueueAsync(tasks, Token);
            Array.Clear(payload);
            tasks[1] = null!;
            await enqueuing;
        }

        var owner = await BeginAsync(backend);
        var taken = await TakeAsync(backend, owner);
        Assert.Equal(100, taken.Count);
        Assert.All(taken, task => Assert.Equal("{\"n\":1}"u8.ToArray(), task.Payload.ToArray()));
    }

    [Fact]
    public async Task A_result_is_what_it_was_when_the_attempt_was_settled()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        for (var i = 0; i < 20; i++)
        {
            var id = await AddAsync(backend);
            var result = "12345"u8.ToArray();
            var settling = backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, result, Token);
            Array.Clear(result);
            Assert.True(await settling);
            Assert.Equal("12345"u8.ToArray(), (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.Value.ToArray());
        }
    }

    [Fact]
    public async Task A_task_put_off_for_longer_than_dates_go_waits_and_is_listed()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddManyAsync(backend, 2);
        var taken = await TakeAsync(backend, owner);
        Assert.True(await backend.SettleAsync(taken[0].Lease, new Settlement.Snoozed { Delay = TimeSpan.MaxValue }, Token));
        Assert.True(await backend.SettleAsync(
            taken[1].Lease, new Settlement.Retried { Error = "no", After = TimeSpan.MaxValue }, Token));

        var page = await InspectorOf(backend).ListAsync(cancellationToken: Token);

        Assert.All(page.Tasks, task => Assert.Equal(TaskState.Scheduled, task.State));
        Assert.Equal(2, page.Tasks.Count);
    }

    [Fact]
    public async Task An_attempt_settled_with_a_delay_below_zero_waits_again_at_once()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        Assert.True(await backend.SettleAsync(
            (await TakeOneAsync(backend, owner)).Lease, new Settlement.Snoozed { Delay = TimeSpan.MinValue }, Token));
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task Other_bad_arguments_are_refused_and_the_store_goes_on()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var lease = new TaskLease { Id = await AddAsync(backend), Owner = owner, Epoch = 1 };
        await ThrowsAsync(() => backend.SettleAsync(lease, null!, Token));
        await ThrowsAsync(() => backend.SettleAsync(lease, new Settlement.Failed { Error = null! }, Token));
        await ThrowsAsync(() => backend.SettleAsync(lease, new Settlement.Retried { Error = null!, After = default }, Token));
        await ThrowsAsync(() => backend.ReconcileAsync(owner, null!, Token));
        await ThrowsAsync(() => backend.ReportProgressAsync(lease, double.NaN, null, Token));
        await ThrowsAsync(() => backend.ReportProgressAsync(lease, 0.5, "a\0", Token));
        await ThrowsAsync(() => backend.BeginWorkerAsync(null!, Token));
        await ThrowsAsync(() => backend.BeginWorkerAsync(new() { Lease = TimeSpan.FromSeconds(9), TaskNames = null! }, Token));
        await ThrowsAsync(() => backend.BeginWorkerAsync(new() { Lease = TimeSpan.FromSeconds(9), TaskNames = [null!] }, Token));
        await ThrowsAsync(() => backend.BeginWorkerAsync(new() { Lease = -TimeSpan.FromSeconds(9), TaskNames = ["a"] }, Token));
        await ThrowsAsync(() => backend.ReserveAsync(null!, Token));
        await ThrowsAsync(() => backend.ReserveAsync(From(owner) with { Queues = null! }, Token));
        await ThrowsAsync(() => backend.ReserveAsync(From(owner) with { Queues = [default] }, Token));
        await ThrowsAsync(() => backend.ReserveAsync(From(owner) with { MaxTasks = 0 }, Token));
        await ThrowsAsync(() => backend.ReserveAsync(From(owner) with { Wait = TimeSpan.MinValue }, Token));
        await ThrowsAsync(() => backend.GetResultAsync(lease.Id, TimeSpan.MinValue, Token));

        Assert.Equal(lease, (await TakeOneAsync(backend, owner)).Lease);

        async Task ThrowsAsync<T>(Func<ValueTask<T>> call) =>
            await Assert.ThrowsAnyAsync<ArgumentException>(async () => await call());
    }

    [Fact]
    public async Task The_longest_waits_wait()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var reserving = backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.MaxValue }, Token).AsTask();
        Assert.Empty(await TakeAsync(backend, owner)); // In a later turn than the one above has been in.
        Assert.False(reserving.IsCompleted);
        var id = await AddAsync(backend);
        var ended = backend.GetResultAsync(id, TimeSpan.MaxValue, Token).AsTask();
        var sixtyDays = backend.GetResultAsync(id, TimeSpan.FromDays(60), Token).AsTask();
        await backend.MarkSuccessAsync(Assert.Single(await reserving).Lease, default, Token);
        Assert.Equal(TaskState.Succeeded, (await ended)!.State);
        Assert.Equal(TaskState.Succeeded, (await sixtyDays)!.State);
    }

    [Fact]
    public async Task A_callback_that_throws_keeps_no_other_caller_waiting()
    {
        var backend = Live();
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"], CancelRequested = _ => throw new FormatException(),
            },
            Token);
        var id = await AddAsync(backend);
        await TakeOneAsync(backend, owner);
        Assert.Equal(CancelOutcome.Requested, await backend.CancelAsync(id, Token));
        var more = await AddManyAsync(backend, 3);
        Assert.Equal(more, (await TakeAsync(backend, owner)).Select(task => task.Lease.Id));
    }

    private sealed class Broken : IReadOnlyList<NewTask>
    {
        public int Count => 3;

        public NewTask this[int index] => index == 1 ? throw new FormatException() : Task1();

        public IEnumerator<NewTask> GetEnumerator()
        {
            for (var i = 0; i < Count; i++)
            {
                yield return this[i];
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
