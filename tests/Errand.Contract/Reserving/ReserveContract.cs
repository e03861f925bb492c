using System.Collections.Concurrent;
using Errand.TestKit;

namespace Errand.Contract;

/// <summary>Reserving: the order of offering, waiting for work, and races between workers.</summary>
public abstract class ReserveContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task Tasks_are_offered_by_priority_then_due_time_then_id()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var late = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMilliseconds(2) });
        var soon = await AddAsync(backend, Task1() with { Delay = TimeSpan.FromMilliseconds(1) });
        var low = await AddAsync(backend, Task1() with { Priority = int.MinValue });
        var first = await AddAsync(backend);
        var second = await AddAsync(backend);
        var high = await AddAsync(backend, Task1() with { Priority = int.MaxValue });
        Clock.Advance(TimeSpan.FromMilliseconds(2));

        var taken = await TakeAsync(backend, owner);

        Assert.Equal([high, first, second, soon, late, low], taken.Select(task => task.Lease.Id));
    }

    [Fact]
    public async Task A_worker_gets_no_more_than_it_asks_for_and_only_from_its_queues()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddManyAsync(backend, 5);
        var mail = await AddAsync(backend, Task1(queue: "mail"));

        Assert.Equal(3, (await TakeAsync(backend, owner, 3)).Count);
        Assert.Equal(mail, Assert.Single(await TakeAsync(backend, owner, 3, "mail")).Lease.Id);
        Assert.Equal(2, (await TakeAsync(backend, owner, 3, "mail", Defaults.Queue)).Count);
    }

    [Fact]
    public async Task A_reserve_waits_for_a_task_and_gives_up_when_told()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        using var cancellation = new CancellationTokenSource();
        var cancelled = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, cancellation.Token).AsTask();
        await backend.InitializeAsync(Token);
        Assert.False(cancelled.IsCompleted);

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        var id = await AddAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task A_request_with_a_callback_is_handed_what_starts_and_goes_on_waiting()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        ConcurrentQueue<ReservedTask> started = [];
        using var cancellation = new CancellationTokenSource();
        var request = new ReserveRequest { Owner = owner, MaxTasks = 2, Started = tasks => tasks.ToList().ForEach(started.Enqueue) };
        var waiting = backend.ReserveAsync(request, cancellation.Token).AsTask();

        TaskId[] ids = [await AddAsync(backend), .. await AddManyAsync(backend, 5), await AddAsync(backend)];

        await Eventually.TrueAsync(() => started.Count == ids.Length, "all are handed over");
        Assert.False(waiting.IsCompleted);
        Assert.Equal(ids.Order(), started.Select(task => task.Lease.Id).Order());
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Empty(await TakeAsync(backend, owner));
        foreach (var task in started)
        {
            Assert.True(await backend.SettleAsync(task.Lease, new Settlement.Succeeded(), Token));
        }
    }

    [Fact]
    public async Task A_request_with_a_callback_is_handed_no_more_than_its_free_slots()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var slots = new Slots(2);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 10, FreeSlots = () => slots.Free, Started = slots.Take };
        using var cancellation = new CancellationTokenSource();
        var waiting = backend.ReserveAsync(request, cancellation.Token).AsTask();
        var ids = await AddManyAsync(backend, 5);

        await Eventually.TrueAsync(() => slots.Started.Count == 2, "two slots are filled");
        for (var settled = 0; settled < ids.Length; settled++)
        {
            await Eventually.TrueAsync(() => slots.Started.Count > settled, "the slot is filled again");
            Assert.InRange(slots.Started.Count, settled + 1, settled + 2);
            Assert.True(await slots.SettleAsync(backend, settled));
        }

        Assert.Equal(ids, slots.Started.Select(task => task.Lease.Id));
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task A_slot_that_becomes_free_while_the_queue_is_looked_at_hides_no_task(int calls)
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddManyAsync(backend, 3);
        ConcurrentQueue<ReservedTask> started = [];
        var request = new ReserveRequest
        {
            Owner = owner,
            MaxTasks = 10,
            FreeSlots = () => (Interlocked.Decrement(ref calls) >= 0 ? 1 : 10) - started.Count,
            Started = tasks => tasks.ToList().ForEach(started.Enqueue),
        };
        using var cancellation = new CancellationTokenSource();
        var waiting = backend.ReserveAsync(request, cancellation.Token).AsTask();
        await Eventually.TrueAsync(() => !started.IsEmpty, "the first is handed over");

        Assert.True(await backend.SettleAsync(started.First().Lease, new Settlement.Succeeded(), Token));

        await Eventually.TrueAsync(() => started.Count == 3, "the others are handed over");
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_request_whose_callback_throws_ends_and_its_tasks_are_released_by_a_reconcile()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 2, Started = _ => throw new FormatException("started") };
        var waiting = backend.ReserveAsync(request, Token).AsTask();
        var id = await AddAsync(backend);

        var thrown = await Assert.ThrowsAsync<BackendException>(() => waiting);

        Assert.IsType<FormatException>(thrown.InnerException);
        Assert.Equal(1, await backend.ReconcileAsync(owner, new HashSet<TaskId>(), Token));
        var again = await TakeOneAsync(backend, owner);
        Assert.Equal((id, 1), (again.Lease.Id, again.Attempt));
    }

    [Fact]
    public async Task Weights_hold_for_a_request_that_goes_on_waiting()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await backend.EnqueueAsync([.. Enumerable.Range(0, 60).Select(_ => Task1(queue: "much"))], Token);
        await backend.EnqueueAsync([.. Enumerable.Range(0, 3).Select(_ => Task1(queue: "little"))], Token);
        var slots = new Slots(1);
        var request = new ReserveRequest
        {
            Owner = owner, MaxTasks = 1, Queues = ["much", "little"], FreeSlots = () => slots.Free, Started = slots.Take,
        };
        using var cancellation = new CancellationTokenSource();
        var waiting = backend.ReserveAsync(request, cancellation.Token).AsTask();

        for (var settled = 0; settled < 40; settled++)
        {
            await Eventually.TrueAsync(() => slots.Started.Count > settled, "the slot is filled again");
            Assert.True(await slots.SettleAsync(backend, settled));
        }

        Assert.Equal(3, slots.Started.Take(40).Count(task => task.Queue == "little"));
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_reserve_with_a_limited_wait_ends_empty()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.FromSeconds(2) }, Token).AsTask();
        await PassAsync(backend, TimeSpan.FromSeconds(1.5), () => backend.Heartbeat(owner));
        Assert.False(waiting.IsCompleted);

        await PassAsync(backend, TimeSpan.FromSeconds(0.5), () => backend.Heartbeat(owner));

        Assert.Empty(await waiting);
    }

    [Fact]
    public async Task A_task_that_is_reserved_while_the_wait_is_cancelled_is_not_lost()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var started = new ConcurrentBag<TaskId>();
        for (var i = 0; i < 300; i++)
        {
            using var cancellation = new CancellationTokenSource();
            var reserve = Task.Run(async () =>
            {
                try
                {
                    var request = new ReserveRequest { Owner = owner, MaxTasks = 1 };
                    foreach (var task in await backend.ReserveAsync(request, cancellation.Token))
                    {
                        started.Add(task.Lease.Id);
                    }
                }
                catch (OperationCanceledException)
                {
                    // It got nothing.
                }
            });
            var add = Task.Run(() => AddAsync(backend));
            var cancel = Task.Run(cancellation.Cancel);
            await Task.WhenAll(reserve, add, cancel);
        }

        foreach (var task in await TakeAsync(backend, owner, 1_000))
        {
            started.Add(task.Lease.Id);
        }

        Assert.Equal(300, started.Distinct().Count());
        Assert.Equal(300, started.Count);
    }

    [Fact]
    public async Task Four_concurrent_reservations_never_return_the_same_task()
    {
        var backend = Live();
        var owners = new[] { await BeginAsync(backend), await BeginAsync(backend), await BeginAsync(backend), await BeginAsync(backend) };
        for (var round = 0; round < 10; round++)
        {
            var ids = await AddManyAsync(backend, 40);
            using var together = new Barrier(4);

            var taken = await Task.WhenAll(owners.Select(owner => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait(Token);
                    return TakeAsync(backend, owner, 10).AsTask();
                },
                Token, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

            Assert.Equal(ids.Order(), taken.SelectMany(tasks => tasks).Select(task => task.Lease.Id).Order());
        }
    }

    [Fact]
    public async Task Sixty_four_threads_enqueue_reserve_and_settle_at_once_and_nothing_is_lost()
    {
        const int Threads = 64;
        const int Each = 50;
        var backend = Live();
        var added = new ConcurrentBag<TaskId>();
        var started = new ConcurrentBag<TaskId>();
        var failures = new ConcurrentBag<Exception>();
        var threads = Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            try
            {
                var owner = BeginAsync(backend).AsTask().GetAwaiter().GetResult();
                for (var i = 0; i < Each; i++)
                {
                    added.Add(AddAsync(backend).GetAwaiter().GetResult());
                    foreach (var task in TakeAsync(backend, owner, 2).AsTask().GetAwaiter().GetResult())
                    {
                        started.Add(task.Lease.Id);
                        Assert.True(backend.MarkSuccessAsync(task.Lease, Json("0"), Token).AsTask().GetAwaiter().GetResult());
                    }
                }
            }
            catch (Exception e)
            {
                failures.Add(e);
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Empty(failures);

        var last = await BeginAsync(backend);
        foreach (var task in await TakeAsync(backend, last, 10_000))
        {
            started.Add(task.Lease.Id);
            Assert.True(await backend.MarkSuccessAsync(task.Lease, Json("0"), Token));
        }

        Assert.Equal(Threads * Each, added.Distinct().Count());
        Assert.Equal(added.Order(), started.Order());
        foreach (var id in added)
        {
            Assert.Equal(TaskState.Succeeded, (await backend.GetResultAsync(id, TimeSpan.Zero, Token))?.State);
        }
    }

    [Fact]
    public async Task Sixty_four_workers_race_for_one_task_and_one_gets_it()
    {
        var backend = Live();
        var owners = new List<WorkerId>();
        for (var i = 0; i < 64; i++)
        {
            owners.Add(await BeginAsync(backend));
        }

        for (var round = 0; round < 50; round++)
        {
            var id = await AddAsync(backend);

            var taken = await Task.WhenAll(owners.Select(owner => Task.Run(() => TakeAsync(backend, owner).AsTask())));

            Assert.Equal(id, Assert.Single(taken.SelectMany(tasks => tasks)).Lease.Id);
        }
    }

    [Fact]
    public async Task A_hand_off_never_overtakes_a_task_that_is_ready_before_it()
    {
        var backend = Live();
        var one = await BeginAsync(backend, names: "a");
        var other = await BeginAsync(backend, names: ["a", "b"]);
        var waiting = backend.ReserveAsync(new ReserveRequest { Owner = one, MaxTasks = 1 }, Token).AsTask();
        var first = await AddAsync(backend, Task1("b") with { Priority = 1 });
        var second = await AddAsync(backend, Task1("a"));

        Assert.Equal(second, Assert.Single(await waiting).Lease.Id);
        Assert.Equal(first, (await TakeOneAsync(backend, other)).Lease.Id);
    }

    /// <summary>The slots of a worker whose request stays open.</summary>
    private sealed class Slots(int free)
    {
        private int _free = free;

        internal ConcurrentQueue<ReservedTask> Started { get; } = [];

        internal int Free => Volatile.Read(ref _free);

        internal void Take(IReadOnlyList<ReservedTask> tasks)
        {
            Interlocked.Add(ref _free, -tasks.Count);
            foreach (var task in tasks)
            {
                Started.Enqueue(task);
            }
        }

        /// <summary>Frees the slot of the task that was started in that place, and settles it.</summary>
        internal async Task<bool> SettleAsync(IBackend backend, int place)
        {
            Interlocked.Increment(ref _free);
            return await backend.SettleAsync(Started.ElementAt(place).Lease, new Settlement.Succeeded(), Token);
        }
    }
}
