namespace Errand.PostgreSql.Tests;

/// <summary>Who is taken for dead after a time in which nobody could be heard. The test ends connections instead of a server.</summary>
public sealed class OutageTests(PostgresServer server)
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackendOptions _options = new() { Schema = PostgresServer.NewSchema() };

    private Task<object?> RunAsync(string sql) => PostgresServer.ExecuteAsync(server.ConnectionString(), sql);

    private static ValueTask<WorkerId> BeginAsync(PostgresBackend backend) =>
        backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    /// <summary>The store looks as it does after a minute without a server.</summary>
    private Task<object?> PassAsync() => RunAsync(
        $"update {_options.Schema}.errand_workers set beat = beat - 60000; update {_options.Schema}.errand_meta set swept = swept - 60000, resumed = 0");

    [Fact]
    public async Task The_first_process_after_an_outage_takes_nobodys_tasks()
    {
        await using var living = new PostgresBackend(server.ConnectionString(), _options);
        var owner = await BeginAsync(living);
        await living.EnqueueAsync([Some]);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero };
        var lease = Assert.Single(await living.ReserveAsync(request)).Lease;
        await PassAsync();

        await using var newcomer = new PostgresBackend(server.ConnectionString(), _options);
        var other = await BeginAsync(newcomer);

        Assert.Empty(await newcomer.ReserveAsync(request with { Owner = other }));
        Assert.True(living.Heartbeat(owner));
        Assert.True(await living.MarkSuccessAsync(lease, default));
    }

    [Fact]
    public async Task Beats_from_a_clock_that_was_ahead_keep_the_dead_alive_for_a_lease_at_most()
    {
        await using var backend = new PostgresBackend(server.ConnectionString(), _options);
        var owner = await BeginAsync(backend);
        await RunAsync($"update {_options.Schema}.errand_workers set beat = beat + 3600000");

        await using var newcomer = new PostgresBackend(server.ConnectionString(), _options);
        await BeginAsync(newcomer);

        Assert.Equal(
            true,
            await RunAsync(
                $"select beat <= {_options.Schema}.errand_now_ms(null) from {_options.Schema}.errand_workers where id = {owner.Value}"));
    }

    [Fact]
    public async Task A_running_task_whose_worker_has_no_row_comes_back()
    {
        await using var backend = new PostgresBackend(server.ConnectionString(), _options);
        var owner = await BeginAsync(backend);
        await backend.EnqueueAsync([Some]);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero };
        Assert.Single(await backend.ReserveAsync(request));
        await RunAsync($"update {_options.Schema}.errand_tasks set owner = 77");

        await using var newcomer = new PostgresBackend(server.ConnectionString(), _options);
        var other = await BeginAsync(newcomer); // It looks for such tasks as it begins; others do every ten seconds.

        var task = Assert.Single(await newcomer.ReserveAsync(request with { Owner = other, Wait = TimeSpan.FromSeconds(60) }));
        Assert.Equal(2, task.Attempt);
    }

    [Fact]
    public async Task A_worker_never_takes_itself_for_dead()
    {
        await using var backend = new PostgresBackend(server.ConnectionString(), _options);
        var owner = await BeginAsync(backend);
        await RunAsync($"update {_options.Schema}.errand_workers set beat = 0");

        var second = await BeginAsync(backend); // Sweeps.

        Assert.True(backend.Heartbeat(owner));
        Assert.True(backend.Heartbeat(second));
    }
}
