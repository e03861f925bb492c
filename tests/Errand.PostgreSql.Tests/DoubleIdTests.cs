using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>
/// A server that gives ids again, as a standby that was promoted before the end of the sequence reached it. Here the sequence is
/// set back and the connections are ended.
/// </summary>
public sealed class DoubleIdTests(PostgresServer server) : IAsyncLifetime
{
    private const int IdsGivenTwice = 413;

    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly RecordingLogger<PostgresBackend> _log = new();
    private readonly string _schema = PostgresServer.NewSchema();
    private string _connectionString = "";
    private PostgresBackend _backend = null!;

    public async ValueTask InitializeAsync()
    {
        _connectionString = server.ConnectionString() + ";Application Name=" + _schema;
        _backend = new PostgresBackend(_connectionString, new PostgresBackendOptions { Schema = _schema }, _log);
        await _backend.InitializeAsync();
    }

    public async ValueTask DisposeAsync() => await _backend.DisposeAsync();

    private Task<object?> RunAsync(string sql) => PostgresServer.ExecuteAsync(server.ConnectionString(), sql);

    private async Task FailOverAsync(string lost)
    {
        await RunAsync(
            $"delete from {_schema}.errand_tasks where id = any('{lost}'::bigint[]); select setval('{_schema}.errand_task_ids', 1, false)");
        await RunAsync($"select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like '{_schema} %'");
    }

    [Fact]
    public async Task Ids_that_were_given_before_a_failover_are_not_given_after_it()
    {
        var ids = (await _backend.EnqueueAsync([Some, Some, Some])).Select(one => one.Id).ToHashSet();
        ids.Add(await _backend.NewIdAsync());

        await FailOverAsync("{1,2,3}");
        ids.UnionWith((await _backend.EnqueueAsync([Some, Some])).Select(one => one.Id));
        await using var other = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema });
        ids.UnionWith((await other.EnqueueAsync([Some, Some])).Select(one => one.Id));
        ids.UnionWith((await _backend.EnqueueAsync([Some, Some])).Select(one => one.Id));

        Assert.Equal(10, ids.Count);
    }

    /// <summary>An enqueue whose commit was under way at the failover keeps its ids: nobody knows whether it was done.</summary>
    [Fact]
    public async Task A_process_that_lived_through_a_failover_enqueues_beside_one_that_started_after_it()
    {
        await _backend.EnqueueAsync([Some, Some, Some]);
        await FailOverAsync("{1,2,3}");
        await using var other = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema });
        var others = await other.EnqueueAsync([Some, Some, Some, Some, Some]);

        Assert.NotNull(await Record.ExceptionAsync(async () => await _backend.GetResultAsync(new TaskId(999), TimeSpan.Zero))); // It connects again.
        var ours = await _backend.EnqueueAsync([Some, Some, Some]);

        Assert.Equal(8, others.Concat(ours).Select(one => one.Id).Distinct().Count());
        Assert.All(ours, one => Assert.True(one.IsNew));
        Assert.Equal(8L, await RunAsync($"select count(*) from {_schema}.errand_tasks"));
    }

    [Fact]
    public async Task A_new_id_that_another_task_has_is_replaced_and_nothing_is_lost()
    {
        var first = Assert.Single(await _backend.EnqueueAsync([Some])).Id;
        await RunAsync($"""
            insert into {_schema}.errand_tasks (id, owner, epoch, due, enqueued, started, turn, attempt, rank, queue, name, max_attempts, state, payload)
            select {first.Value} + i, 0, 0, 1, 1, 1, 0, 0, 0, queue, name, 5, 10, 'stranger'
            from   {_schema}.errand_tasks, generate_series(1, 2000) as i
            """);

        var second = Assert.Single(await _backend.EnqueueAsync([Some]));

        Assert.True(second.IsNew);
        Assert.True(second.Id.Value > first.Value + 2000, $"{second.Id}");
        Assert.Equal(
            "{}", await RunAsync($"select convert_from(payload, 'UTF8') from {_schema}.errand_tasks where id = {second.Id.Value}"));
    }

    [Fact]
    public async Task A_task_whose_id_has_finished_already_settles_nothing_and_runs_again_under_a_new_id()
    {
        var owner = await _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });
        await _backend.EnqueueAsync([Some]);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 10, Wait = TimeSpan.Zero };
        var lease = Assert.Single(await _backend.ReserveAsync(request)).Lease;
        await RunAsync($"""
            insert into {_schema}.errand_finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
            select id, 1, 1, due, enqueued, started, {_schema}.errand_now_ms(null), 1, rank, queue, name, 20 from {_schema}.errand_tasks
            """);

        Assert.False(await _backend.MarkSuccessAsync(lease, default));

        Assert.Equal(1, await _backend.ReconcileAsync(owner, new HashSet<TaskId>()));
        var again = Assert.Single(await _backend.ReserveAsync(request)).Lease;
        Assert.NotEqual(lease.Id, again.Id);
        Assert.True(await _backend.MarkSuccessAsync(again, default));
        Assert.True(_log.Has(IdsGivenTwice));
    }
}
