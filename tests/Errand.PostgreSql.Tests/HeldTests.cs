using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>A transaction of a caller's that stays open holds up who asks for the same task, and nobody else.</summary>
public sealed class HeldTests(PostgresServer server, PgBouncer bouncer) : IClassFixture<PgBouncer>, IAsyncLifetime
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackendOptions _options = new()
    {
        // Who waits for either of them has waited for too long.
        Schema = PostgresServer.NewSchema(), BusyTimeout = TimeSpan.FromMinutes(10), CommandTimeout = TimeSpan.FromMinutes(10),
    };

    private PostgresBackend _backend = null!;
    private NpgsqlConnection _connection = null!;
    private NpgsqlTransaction _open = null!;

    public ValueTask InitializeAsync() => OpenAsync(_options);

    private async ValueTask OpenAsync(PostgresBackendOptions options, string? connectionString = null)
    {
        _backend = new PostgresBackend(connectionString ?? server.ConnectionString(), options);
        await _backend.InitializeAsync();
        _connection = new NpgsqlConnection(server.ConnectionString());
        await _connection.OpenAsync();
        _open = await _connection.BeginTransactionAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private ValueTask<WorkerId> BeginAsync() =>
        _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    private async Task<TaskLease> TakeAsync(WorkerId owner) => Assert.Single(
        await _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = Eventually.Bound })).Lease;

    /// <summary>A task that the open transaction has completed.</summary>
    private async Task<TaskLease> CompletedAsync(WorkerId owner)
    {
        await _backend.EnqueueAsync([Some]);
        var lease = await TakeAsync(owner);
        Assert.True(await _backend.CompleteInAsync(lease, default, _open));
        return lease;
    }

    /// <summary>Others go all the way of a task, many times, while one waits.</summary>
    private Task OthersGetOnAsync(WorkerId owner) => Task.Run(async () =>
    {
        for (var i = 0; i < 20; i++)
        {
            await _backend.EnqueueAsync([Some]);
            Assert.True(await _backend.MarkSuccessAsync(await TakeAsync(owner), default));
        }
    }).WaitAsync(Eventually.Bound);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_settles_a_task_that_an_open_transaction_has_completed_waits_alone(bool commits)
    {
        var owner = await BeginAsync();
        var lease = await CompletedAsync(owner);
        var settling = _backend.MarkFailureAsync(lease, "no", null).AsTask();

        await OthersGetOnAsync(owner);

        Assert.False(settling.IsCompleted);
        await (commits ? _open.CommitAsync() : _open.RollbackAsync());
        Assert.Equal(!commits, await settling.WaitAsync(Eventually.Bound));
        Assert.Equal(
            commits ? TaskState.Succeeded : TaskState.Failed, (await _backend.GetResultAsync(lease.Id, TimeSpan.Zero))!.State);
    }

    [Fact]
    public async Task Behind_a_pooler_he_waits_alone_as_well()
    {
        await DisposeAsync();
        await OpenAsync(_options, bouncer.ConnectionString(0));
        await Who_settles_a_task_that_an_open_transaction_has_completed_waits_alone(commits: true);
    }

    [Fact]
    public async Task A_worker_that_ends_gives_back_everything_else()
    {
        var owner = await BeginAsync();
        var completed = await CompletedAsync(owner);
        await _backend.EnqueueAsync([Some]);
        var running = await TakeAsync(owner);

        await _backend.EndWorkerAsync(owner, release: true).AsTask().WaitAsync(Eventually.Bound);

        Assert.Equal(running.Id, (await TakeAsync(await BeginAsync())).Id);
        await _open.CommitAsync();
        Assert.Equal(TaskState.Succeeded, (await _backend.GetResultAsync(completed.Id, TimeSpan.Zero))!.State);
    }

    [Fact]
    public async Task A_task_that_its_dead_workers_transaction_had_completed_is_started_again_when_that_rolls_back()
    {
        var lease = await CompletedAsync(await BeginAsync());
        await _backend.EndWorkerAsync(lease.Owner, release: true).AsTask().WaitAsync(Eventually.Bound);
        await _open.RollbackAsync();

        var again = await TakeAsync(await BeginAsync());

        Assert.Equal((lease.Id, 2L), (again.Id, again.Epoch));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_enqueues_an_id_that_an_open_transaction_has_enqueued_waits_alone(bool commits)
    {
        var owner = await BeginAsync();
        var id = await _backend.NewIdAsync();
        Assert.True(Assert.Single(await _backend.EnqueueInAsync([Some with { Id = id, Delay = TimeSpan.FromHours(1) }], _open)).IsNew);
        var enqueuing = _backend.EnqueueAsync([Some with { Id = id, Delay = TimeSpan.FromHours(1) }]).AsTask();

        await OthersGetOnAsync(owner);

        Assert.False(enqueuing.IsCompleted);
        await (commits ? _open.CommitAsync() : _open.RollbackAsync());
        Assert.Equal(new EnqueuedTask { Id = id, IsNew = !commits }, Assert.Single(await enqueuing.WaitAsync(Eventually.Bound)));
    }

    [Fact]
    public async Task Who_has_waited_for_long_enough_is_told_why()
    {
        await DisposeAsync();
        await OpenAsync(_options with { BusyTimeout = TimeSpan.FromSeconds(1) });
        var lease = await CompletedAsync(await BeginAsync());

        var busy = await Assert.ThrowsAsync<BackendBusyException>(
            async () => await _backend.MarkSuccessAsync(lease, default).AsTask().WaitAsync(Eventually.Bound));

        Assert.Contains("an open transaction holds the task", busy.Message, StringComparison.Ordinal);
        Assert.True(busy.IsTransient);
        await _open.RollbackAsync();
        Assert.True(await _backend.MarkSuccessAsync(lease, default));
    }

    [Fact]
    public async Task Who_waits_when_the_backend_is_disposed_of_is_told_so()
    {
        var owner = await BeginAsync();
        var lease = await CompletedAsync(owner);
        var settling = _backend.MarkSuccessAsync(lease, default).AsTask();
        await OthersGetOnAsync(owner);

        await _backend.DisposeAsync().AsTask().WaitAsync(Eventually.Bound);

        await Assert.ThrowsAsync<ObjectDisposedException>(() => settling);
    }
}
