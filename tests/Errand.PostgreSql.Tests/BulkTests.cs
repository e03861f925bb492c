using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Calls with more tasks, more ids or more bytes than a turn takes.</summary>
public sealed class BulkTests(PostgresServer server) : IAsyncLifetime
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackend _backend = new(
        server.ConnectionString(), new PostgresBackendOptions { Schema = PostgresServer.NewSchema() });

    public async ValueTask InitializeAsync() => await _backend.InitializeAsync();

    public async ValueTask DisposeAsync() => await _backend.DisposeAsync();

    private async Task<long> CountAsync() => (long)(await PostgresServer.ExecuteAsync(
        server.ConnectionString(), $"select count(*) from {_backend.Schema}.errand_tasks"))!;

    [Fact]
    public async Task Large_payloads_in_one_call_are_sent_in_several_statements_of_one_transaction()
    {
        var large = Some with { Payload = new byte[1024 * 1024] };

        var enqueued = await _backend.EnqueueAsync([.. Enumerable.Repeat(large, 50)]);

        Assert.Equal(50, enqueued.Select(one => one.Id).Distinct().Count());
        Assert.All(enqueued, one => Assert.True(one.IsNew));
        Assert.Equal(50, await CountAsync());
    }

    [Fact]
    public async Task Large_payloads_of_many_callers_are_cut_into_turns()
    {
        var large = Some with { Payload = new byte[1024 * 1024] };

        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _backend.EnqueueAsync([large]).AsTask()));

        Assert.Equal(50, await CountAsync());
    }

    [Fact]
    public async Task Twenty_five_thousand_tasks_are_all_there_or_none_is_and_a_worker_that_waits_gets_them()
    {
        var owner = await _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });
        var tasks = Enumerable.Repeat(Some, 25_000).ToArray();
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await _backend.EnqueueAsync([.. tasks, Some with { Id = new TaskId(1_000_000_000) }]));
        Assert.Equal(0, await CountAsync());
        var waiting = _backend.ReserveAsync(
            new ReserveRequest { Owner = owner, MaxTasks = 10, Wait = TimeSpan.FromSeconds(30) }).AsTask();

        var enqueued = await _backend.EnqueueAsync(tasks);

        Assert.Equal(25_000, enqueued.Select(one => one.Id).Distinct().Count());
        Assert.NotEmpty(await waiting);
        Assert.Equal(25_000, await CountAsync());
    }

    [Fact]
    public async Task Twenty_thousand_ids_and_keys_in_one_call_do_not_exhaust_the_servers_locks()
    {
        var tasks = Enumerable.Range(0, 20_000).Select(i => Some with { UniqueKey = $"k{i}" }).ToArray();
        var enqueued = await _backend.EnqueueAsync(tasks);

        var again = await _backend.EnqueueAsync([.. enqueued.Select(one => Some with { Id = one.Id })]);
        var byKey = await _backend.EnqueueAsync(tasks);

        Assert.All(again.Concat(byKey), one => Assert.False(one.IsNew));
        Assert.Equal(enqueued.Select(one => one.Id), again.Select(one => one.Id));
        Assert.Equal(enqueued.Select(one => one.Id), byKey.Select(one => one.Id));
        Assert.Equal(20_000, await CountAsync());
    }

    [Fact]
    public async Task Twenty_thousand_ids_in_a_callers_transaction_do_not_exhaust_the_servers_locks()
    {
        var enqueued = await _backend.EnqueueAsync([.. Enumerable.Repeat(Some, 20_000)]);
        await using var connection = new NpgsqlConnection(server.ConnectionString());
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();

        var again = await _backend.EnqueueInAsync([.. enqueued.Select(one => Some with { Id = one.Id })], transaction);
        await transaction.CommitAsync();

        Assert.All(again, one => Assert.False(one.IsNew));
        Assert.Equal(20_000, await CountAsync());
    }
}
