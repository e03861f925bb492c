using System.Diagnostics;

namespace Errand.PostgreSql.Tests;

/// <summary>Several backends on one schema: how they find each other's tasks, and whose clock counts.</summary>
public sealed class StrangersTests(PostgresServer server)
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackendOptions _options = new() { Schema = PostgresServer.NewSchema() };

    private PostgresBackend Backend(PostgresBackendOptions options) => new(server.ConnectionString(), options);

    private static ValueTask<WorkerId> BeginAsync(PostgresBackend backend, TimeSpan lease) =>
        backend.BeginWorkerAsync(new WorkerRegistration { Lease = lease, TaskNames = ["a"] });

    private static ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(PostgresBackend backend, WorkerId owner, TimeSpan wait) =>
        backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 100, Wait = wait });

    [Fact]
    public async Task A_notification_brings_another_processs_task_long_before_polling_would()
    {
        await using var here = Backend(_options);
        await using var there = Backend(_options);
        var owner = await BeginAsync(there, TimeSpan.FromSeconds(30));
        var quickest = TimeSpan.MaxValue;
        for (var i = 0; i < 10; i++)
        {
            var waiting = TakeAsync(there, owner, TimeSpan.FromSeconds(10)).AsTask();
            await there.InitializeAsync();
            var started = Stopwatch.GetTimestamp();
            await here.EnqueueAsync([Some]);
            Assert.Single(await waiting);
            var took = Stopwatch.GetElapsedTime(started);
            quickest = took < quickest ? took : quickest;
        }

        Assert.InRange(quickest, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task Without_notifications_polling_drains_everything(bool uses, bool drops)
    {
        var options = _options with { UseNotify = uses, DropNotifications = drops };
        await using var here = Backend(options);
        await using var there = Backend(options);
        var owner = await BeginAsync(there, TimeSpan.FromSeconds(30));
        var taken = new HashSet<TaskId>();
        var enqueued = new HashSet<TaskId>();
        for (var round = 0; round < 5; round++)
        {
            var waiting = TakeAsync(there, owner, TimeSpan.FromSeconds(10)).AsTask();
            foreach (var task in await here.EnqueueAsync([Some, Some with { Delay = TimeSpan.FromMilliseconds(20) }]))
            {
                enqueued.Add(task.Id);
            }

            taken.UnionWith((await waiting).Select(task => task.Lease.Id));
        }

        while (taken.Count < enqueued.Count)
        {
            var more = await TakeAsync(there, owner, TimeSpan.FromSeconds(5));
            Assert.NotEmpty(more);
            taken.UnionWith(more.Select(task => task.Lease.Id));
        }

        Assert.Equal(enqueued.Order(), taken.Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_worker_whose_clock_is_an_hour_off_steals_nothing_and_loses_nothing(int hours)
    {
        var lease = TimeSpan.FromSeconds(2);
        await using var right = Backend(_options);
        await using var wrong = Backend(_options with { TimeProvider = new WrongClock(TimeSpan.FromHours(hours)) });
        var rightOwner = await BeginAsync(right, lease);
        var wrongOwner = await BeginAsync(wrong, lease);
        await wrong.EnqueueAsync([Some]);
        var first = Assert.Single(await TakeAsync(right, rightOwner, TimeSpan.FromSeconds(5))); // Due at once, for both.
        await right.EnqueueAsync([Some]);
        var second = Assert.Single(await TakeAsync(wrong, wrongOwner, TimeSpan.FromSeconds(5)));
        await wrong.EnqueueAsync([Some with { Delay = TimeSpan.FromSeconds(30) }]);

        for (var i = 0; i < 12; i++)
        {
            Assert.True(right.Heartbeat(rightOwner) && wrong.Heartbeat(wrongOwner));
            Assert.Empty(await TakeAsync(right, rightOwner, TimeSpan.FromMilliseconds(200)));
            Assert.Empty(await TakeAsync(wrong, wrongOwner, TimeSpan.FromMilliseconds(200)));
        }

        Assert.True(await right.MarkSuccessAsync(first.Lease, default));
        Assert.True(await wrong.MarkSuccessAsync(second.Lease, default));
    }

    [Fact]
    public async Task A_worker_that_is_not_heard_of_for_its_lease_loses_its_tasks_to_another_process()
    {
        await using var other = Backend(_options);
        var otherOwner = await BeginAsync(other, TimeSpan.FromSeconds(1));
        await other.EnqueueAsync([Some]);
        TaskLease lost;
        await using (var dying = Backend(_options))
        {
            var owner = await BeginAsync(dying, TimeSpan.FromSeconds(1));
            lost = Assert.Single(await TakeAsync(dying, owner, TimeSpan.Zero)).Lease;
        }

        var task = Assert.Single(await TakeAsync(other, otherOwner, TimeSpan.FromSeconds(10)));

        Assert.Equal((lost.Id, 2, 2L), (task.Lease.Id, task.Attempt, task.Lease.Epoch));
        Assert.False(await other.MarkSuccessAsync(lost, default));
    }

    /// <summary>One queue a turn would fill forty slots by six tasks.</summary>
    [Fact]
    public async Task A_worker_of_a_pattern_drains_hundreds_of_queues_that_hold_little()
    {
        await using var backend = Backend(_options);
        await backend.EnqueueAsync([.. Enumerable.Range(0, 1_800).Select(i => Some with { Queue = $"user-{i % 300}" })]);
        var owner = await BeginAsync(backend, TimeSpan.FromSeconds(30));
        var request = new ReserveRequest
        {
            Owner = owner, MaxTasks = 32, Wait = TimeSpan.FromSeconds(2), Queues = [new QueueSubscription("user-*")],
        };
        HashSet<TaskId> taken = [];
        var calls = 0;
        while (taken.Count < 1_800)
        {
            var more = await backend.ReserveAsync(request);
            Assert.NotEmpty(more);
            taken.UnionWith(more.Select(task => task.Lease.Id));
            calls++;
        }

        Assert.InRange(calls, 1, 250);
    }

    private sealed class WrongClock(TimeSpan wrongBy) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + wrongBy;
    }
}
