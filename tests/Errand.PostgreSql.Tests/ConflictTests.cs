using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Turns that the server aborts because of somebody else are redone, and every caller is told the truth.</summary>
public sealed class ConflictTests : IAsyncLifetime
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly string _direct;
    private readonly string _application = "conflict" + Guid.NewGuid().ToString("N");
    private readonly PostgresBackend _backend;

    public ConflictTests(PostgresServer server)
    {
        _direct = server.ConnectionString();
        _backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(_direct) { ApplicationName = _application, Options = "-c deadlock_timeout=150" }.ConnectionString,
            new PostgresBackendOptions { Schema = PostgresServer.NewSchema(), BusyTimeout = TimeSpan.FromMinutes(1) });
    }

    public ValueTask InitializeAsync() => _backend.InitializeAsync();

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private Task<object?> AskAsync(string sql) =>
        PostgresServer.ExecuteAsync(_direct, sql.Replace("errand.", _backend.Schema + ".", StringComparison.Ordinal));

    private ValueTask<WorkerId> BeginAsync() =>
        _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    private ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(WorkerId owner) =>
        _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 10, Wait = TimeSpan.Zero });

    /// <summary>The next statements of that kind on the live tasks meet an error, as others' statements would cause it.</summary>
    private Task<object?> FailNextAsync(string kind, string error, int times) => AskAsync($"""
        create sequence errand.failures;
        create function errand.fail() returns trigger language plpgsql
        as $$ begin if nextval('errand.failures') <= {times} then raise exception using errcode = '{error}'; end if; return null; end $$;
        create trigger fail after {kind} on errand.errand_tasks for each statement execute function errand.fail()
        """);

    [Theory]
    [InlineData("insert", "40001")]
    [InlineData("insert", "40P01")]
    [InlineData("delete", "40001")]
    [InlineData("delete", "40P01")]
    [InlineData("update", "40001")]
    [InlineData("update", "40P01")]
    public async Task A_turn_that_meets_a_conflict_is_redone_and_nobody_notices(string kind, string error)
    {
        var owner = await BeginAsync();
        await FailNextAsync(kind, error, times: 2);

        var enqueued = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _backend.EnqueueAsync([Some, Some]).AsTask()));
        List<ReservedTask> taken = [];
        while (taken.Count < 40)
        {
            taken.AddRange(await TakeAsync(owner));
        }

        var settled = await Task.WhenAll(taken.Select(task => _backend.MarkSuccessAsync(task.Lease, default).AsTask()));

        Assert.True((long)(await AskAsync("select nextval('errand.failures')"))! > 2);
        Assert.All(settled, Assert.True);
        Assert.All(taken, task => Assert.Equal((1, 1L), (task.Attempt, task.Lease.Epoch)));
        Assert.Equal(
            enqueued.SelectMany(tasks => tasks.Select(task => task.Id)).Order(), taken.Select(task => task.Lease.Id).Order());
        Assert.Equal(40L, await AskAsync("select count(*) from errand.errand_finished"));
    }

    [Fact]
    public async Task Conflicts_without_end_are_told_as_transient_and_nothing_was_done()
    {
        await FailNextAsync("insert", "40001", times: 1_000);
        await Assert.ThrowsAsync<BackendBusyException>(async () => await _backend.EnqueueAsync([Some]));
        Assert.Equal(0L, await AskAsync("select count(*) from errand.errand_tasks"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("key")]
    public async Task An_enqueue_that_waits_for_the_end_of_its_own_task_finds_it_finished(string? key)
    {
        var owner = await BeginAsync();
        await using var stranger = new NpgsqlConnection(_direct);
        await stranger.OpenAsync();
        for (var round = 0; round < 5; round++) // One that comes a moment too late waits otherwise.
        {
            var task = Some with { Id = await _backend.NewIdAsync(), UniqueKey = key };
            await _backend.EnqueueAsync([task]);
            var lease = Assert.Single(await TakeAsync(owner)).Lease;
            await using var transaction = await stranger.BeginTransactionAsync();
            Assert.True(await _backend.CompleteInAsync(lease, default, transaction));

            var again = _backend.EnqueueAsync([task]).AsTask();
            await WaitsForAsync("transactionid");
            await transaction.CommitAsync();

            Assert.Equal(new EnqueuedTask { Id = lease.Id, IsNew = false }, Assert.Single(await again.WaitAsync(Eventually.Bound)));
            Assert.Equal(0L, await AskAsync("select count(*) from errand.errand_tasks"));
        }
    }

    [Fact]
    public async Task An_id_that_is_enqueued_again_when_its_key_is_free_does_not_take_the_key()
    {
        var owner = await BeginAsync();
        var first = Some with { Id = await _backend.NewIdAsync(), UniqueKey = "key", UniqueFor = TimeSpan.FromMilliseconds(1) };
        await _backend.EnqueueAsync([first]);
        Assert.True(await _backend.MarkSuccessAsync(Assert.Single(await TakeAsync(owner)).Lease, default));
        await Eventually.TrueAsync(
            async () => true.Equals(await AskAsync("select bool_and(until <= errand.errand_now_ms(null)) is not false from errand.errand_unique_periods")),
            "its time has passed");

        var again = Assert.Single(await _backend.EnqueueAsync([first with { UniqueFor = TimeSpan.FromHours(1) }]));
        Assert.Equal(new EnqueuedTask { Id = first.Id!.Value, IsNew = false }, again);
        Assert.True(Assert.Single(await _backend.EnqueueAsync([Some with { UniqueKey = "key" }])).IsNew);
    }

    [Fact]
    public async Task A_turn_and_a_stranger_who_lock_the_same_tasks_in_opposite_order_both_get_on()
    {
        var owner = await BeginAsync();
        await using var stranger = new NpgsqlConnection(_direct);
        await stranger.OpenAsync();
        await ExecuteAsync("set deadlock_timeout = '1min'");
        var before = await DeadlocksAsync();
        for (var tries = 0; await DeadlocksAsync() == before; tries++)
        {
            Assert.True(tries < 10, "The turn has met a deadlock.");
            await DeadlockAsync();
        }

        async Task DeadlockAsync()
        {
            await _backend.EnqueueAsync([Some, Some]);
            var leases = (await TakeAsync(owner)).Select(task => task.Lease).OrderBy(lease => lease.Id).ToArray();
            var blocked = await _backend.NewIdAsync();

            // While the loop waits for this, both settlements come into its next turn.
            await using var transaction = await stranger.BeginTransactionAsync();
            await _backend.EnqueueInAsync([Some with { Id = blocked, Delay = TimeSpan.FromHours(1) }], transaction);
            var enqueuing = _backend.EnqueueAsync([Some with { Id = blocked, Delay = TimeSpan.FromHours(1) }]).AsTask();
            await WaitsForAsync("advisory");
            await ExecuteAsync($"select 1 from errand.errand_tasks where id = {leases[1].Id} for update");
            var settling = leases.Select(lease => _backend.MarkSuccessAsync(lease, default).AsTask()).ToArray();
            await WaitsForAsync("transactionid");
            await ExecuteAsync($"select 1 from errand.errand_tasks where id = {leases[0].Id} for update");
            await transaction.RollbackAsync();

            Assert.All(await Task.WhenAll(settling).WaitAsync(Eventually.Bound), Assert.True);
            Assert.True(Assert.Single(await enqueuing.WaitAsync(Eventually.Bound)).IsNew);
        }

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(
                sql.Replace("errand.", _backend.Schema + ".", StringComparison.Ordinal), stranger) { CommandTimeout = 30 };
            await command.ExecuteNonQueryAsync();
        }
    }

    private async Task<long> DeadlocksAsync() =>
        (long)(await AskAsync("select deadlocks from pg_stat_database where datname = current_database()"))!;

    private Task WaitsForAsync(string what) => Eventually.TrueAsync(
        async () => 0L < (long)(await AskAsync(
            $"select count(*) from pg_stat_activity where application_name like '{_application}%' and wait_event = '{what}'"))!,
        $"the turn waits for {what}");
}
