using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>More queues under one pattern than one look goes through.</summary>
public sealed class ManyQueuesTests : IAsyncDisposable
{
    private const int Queues = 1_200;

    private readonly TemporaryFolder _folder = new();

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_that_finds_nothing_for_it_in_any_of_them_rests(bool isInMemory)
    {
        var clock = new CountingClock();
        await using var backend = Open(isInMemory, clock);
        await BeginAsync(backend, "other");
        await FillAsync(backend);
        var worker = await BeginAsync(backend, "mine");
        var reserving = backend.ReserveAsync(RequestOf(worker), TestContext.Current.CancellationToken).AsTask();

        await Eventually.TrueAsync(
            async () =>
            {
                var before = clock.Reads;
                await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
                return clock.Reads - before < 100; // One turn after another reads it thousands of times.
            },
            "the writer rests");

        var id = await AddAsync(backend, "mine", 777);
        Assert.Equal(id, Assert.Single(await reserving.WaitAsync(Eventually.Bound, TestContext.Current.CancellationToken)).Lease.Id);
    }

    /// <summary>It is ready before the worker asks, so that only a look can find it.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(777)]
    [InlineData(Queues - 1)]
    public async Task A_task_in_any_of_them_is_found(int queue)
    {
        await using var backend = Open(isInMemory: true, new CountingClock());
        await BeginAsync(backend, "other");
        await FillAsync(backend);
        var worker = await BeginAsync(backend, "mine");
        for (var i = 0; i < 3; i++)
        {
            var id = await AddAsync(backend, "mine", queue);
            var task = Assert.Single(await backend.ReserveAsync(RequestOf(worker), TestContext.Current.CancellationToken));
            Assert.Equal(id, task.Lease.Id);
        }
    }

    [Fact]
    public async Task A_worker_of_two_such_patterns_rests_and_finds_what_comes()
    {
        var clock = new CountingClock();
        await using var backend = Open(isInMemory: true, clock);
        await BeginAsync(backend, "other");
        await FillAsync(backend);
        await FillAsync(backend, "team");
        var worker = await BeginAsync(backend, "mine");
        for (var i = 0; i < 4; i++)
        {
            var id = await AddAsync(backend, "mine", 100 * i, i % 2 == 0 ? "team" : "user");
            var task = Assert.Single(await backend.ReserveAsync(RequestOf(worker), TestContext.Current.CancellationToken));
            Assert.Equal(id, task.Lease.Id);
        }

        var waiting = backend.ReserveAsync(RequestOf(worker), TestContext.Current.CancellationToken).AsTask();
        await Eventually.TrueAsync(
            async () =>
            {
                var before = clock.Reads;
                await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
                return clock.Reads - before < 100;
            },
            "the writer rests");
        var last = await AddAsync(backend, "mine", 5, "team");
        Assert.Equal(last, Assert.Single(await waiting.WaitAsync(Eventually.Bound, TestContext.Current.CancellationToken)).Lease.Id);
    }

    private SqliteBackend Open(bool isInMemory, TimeProvider clock) =>
        new(isInMemory ? ":memory:" : _folder.File("tasks.db"), new SqliteBackendOptions { TimeProvider = clock });

    private static async Task<WorkerId> BeginAsync(SqliteBackend backend, string name) => await backend.BeginWorkerAsync(
        new WorkerRegistration { Lease = TimeSpan.FromHours(1), TaskNames = [name], Queues = ["*"] }, TestContext.Current.CancellationToken);

    private static ReserveRequest RequestOf(WorkerId worker) => new()
    {
        Owner = worker, MaxTasks = 1, Wait = Timeout.InfiniteTimeSpan, Queues = ["user-*", "team-*"],
    };

    private static async Task FillAsync(SqliteBackend backend, string prefix = "user") => await backend.EnqueueAsync(
        [.. Enumerable.Range(0, Queues).Select(i => Some("other", i, prefix))], TestContext.Current.CancellationToken);

    private static async Task<TaskId> AddAsync(SqliteBackend backend, string name, int queue, string prefix = "user") =>
        Assert.Single(await backend.EnqueueAsync([Some(name, queue, prefix)], TestContext.Current.CancellationToken)).Id;

    private static NewTask Some(string name, int queue, string prefix) =>
        new() { Name = name, Queue = $"{prefix}-{queue}", Payload = "{}"u8.ToArray() };
}
