using Errand.PrivatePostgres;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>A server that fails over to its hot standby, behind an address that stays the same.</summary>
public sealed class StandbyTests : IAsyncLifetime
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private PostgresCluster _primary = null!;
    private PostgresCluster _standby = null!;
    private TcpProxy _address = null!;
    private PostgresBackend _backend = null!;

    public async ValueTask InitializeAsync()
    {
        _primary = await PostgresCluster.StartAsync();
        _standby = await _primary.StartStandbyAsync();
        _address = new TcpProxy(_primary.Port);
        _backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(_primary.ConnectionString()) { Port = _address.Port }.ConnectionString,
            new PostgresBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(200) });
        await _backend.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _backend.DisposeAsync();
        await _address.DisposeAsync();
        await _standby.DisposeAsync();
        await _primary.DisposeAsync();
    }

    private async Task FailOverAsync()
    {
        await Eventually.TrueAsync(
            async () => (bool)(await PostgresServer.ExecuteAsync(
                _primary.ConnectionString(),
                "select count(*) > 0 and bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication"))!,
            "the standby has everything");
        await _primary.StopServerAsync("immediate");
        _address.Target = _standby.Port;
    }

    [Fact]
    public async Task A_standby_is_told_as_read_only_and_its_promotion_is_all_that_is_needed()
    {
        var id = Assert.Single(await _backend.EnqueueAsync([Some])).Id;
        await FailOverAsync();

        var enqueue = await Assert.ThrowsAsync<BackendException>(async () => await _backend.EnqueueAsync([Some]));
        var worker = await Assert.ThrowsAsync<BackendException>(
            async () => await _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] }));

        Assert.All([enqueue, worker], refused =>
        {
            Assert.True(refused.IsTransient);
            Assert.Contains("read-only: a standby", refused.Message, StringComparison.Ordinal);
            Assert.Equal(PostgresErrorCodes.ReadOnlySqlTransaction, ((PostgresException)refused.InnerException!).SqlState);
        });
        await _standby.PromoteAsync();
        Assert.NotEqual(id, Assert.Single(await _backend.EnqueueAsync([Some])).Id);
        Assert.Null(await _backend.GetResultAsync(id, TimeSpan.Zero));
    }

    [Fact]
    public async Task A_worker_goes_on_by_itself_once_the_standby_is_promoted()
    {
        await using var queue = new TaskQueue(_backend);
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Count, int>((count, _) => count.Number));
        await worker.StartAsync();
        Assert.Equal(1, await (await queue.EnqueueAsync(new Count(1))).WaitAsync(Eventually.Bound));
        await FailOverAsync();
        var refused = await Assert.ThrowsAsync<BackendException>(() => queue.EnqueueAsync(new Count(2)));
        Assert.True(refused.IsTransient);

        await _standby.PromoteAsync();

        Assert.Equal(3, await (await queue.EnqueueAsync(new Count(3))).WaitAsync(Eventually.Bound));
    }

    [Fact]
    public async Task Tasks_that_a_lagging_standby_has_never_heard_of_are_lost_and_their_ids_are_not_given_again()
    {
        await PostgresServer.ExecuteAsync(_standby.ConnectionString(), "alter system set primary_conninfo = 'host=127.0.0.1 port=1'");
        await PostgresServer.ExecuteAsync(_standby.ConnectionString(), "select pg_reload_conf()");
        await Eventually.TrueAsync(
            async () => (long)(await PostgresServer.ExecuteAsync(
                _primary.ConnectionString(), "select count(*) from pg_stat_replication"))! == 0,
            "the standby hears nothing more");
        var lost = await _backend.EnqueueAsync([Some, Some, Some]);
        await _primary.StopServerAsync("immediate");
        _address.Target = _standby.Port;
        await _standby.PromoteAsync();
        await using var newcomer = new PostgresBackend(_standby.ConnectionString());
        var others = await newcomer.EnqueueAsync([Some, Some, Some, Some, Some]);

        await Eventually.TrueAsync(ConnectsAgainAsync, "the backend has connected to the new primary");
        var ours = await _backend.EnqueueAsync([Some, Some, Some]);

        Assert.All(ours, one => Assert.True(one.IsNew));
        Assert.Empty(ours.Select(one => one.Id).Intersect(others.Concat(lost).Select(one => one.Id)));
        Assert.Equal(
            8L, await PostgresServer.ExecuteAsync(_standby.ConnectionString(), "select count(*) from errand.errand_tasks"));
    }

    private async Task<bool> ConnectsAgainAsync()
    {
        try
        {
            await _backend.GetResultAsync(new TaskId(1_000_000), TimeSpan.Zero);
            return true;
        }
        catch (TaskNotFoundException)
        {
            return true;
        }
        catch (BackendException)
        {
            return false;
        }
    }
}
