using Errand.PrivatePostgres;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Servers that restart and connections that are ended: nothing that was acknowledged is lost, and nothing runs twice.</summary>
public sealed class TroubleTests(PostgresServer server)
{
    private const int ReserveFailed = 104; // A log id of the worker.

    [Theory]
    [InlineData("fast")]
    [InlineData("immediate")]
    public async Task A_server_that_restarts_in_mid_load_loses_nothing(string mode)
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await using var backend = new PostgresBackend(
            cluster.ConnectionString(), new PostgresBackendOptions { BusyTimeout = TimeSpan.FromSeconds(20) });
        await using var load = await Load.StartAsync(backend);
        await load.ReachesAsync(500);

        await cluster.StopServerAsync(mode);
        await cluster.StartServerAsync();

        await load.ReachesAsync(load.Acknowledged + 500);
        await load.EndsAsync();
    }

    [Fact]
    public async Task A_server_that_stays_away_is_asked_for_and_complained_of_now_and_then()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        var log = new RecordingLogger<PostgresBackend>();
        var workerLog = new RecordingLogger<TaskWorker>();
        await using var backend = new PostgresBackend(
            cluster.ConnectionString(), new PostgresBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(50) }, log);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(
            backend, new TaskHandlers().Add<Count, int>((count, _) => count.Number),
            new TaskWorkerOptions { Heartbeat = TimeSpan.FromMilliseconds(500) }, workerLog);
        await worker.StartAsync();

        await cluster.StopServerAsync("fast");
        await Eventually.TrueAsync(() => workerLog.Entries.Count(entry => entry.Id == ReserveFailed) >= 5, "the worker has tried again and again");

        Assert.InRange(log.Entries.Count, 1, 10);
        Assert.InRange(workerLog.Entries.Count, 5, 40);
        await cluster.StartServerAsync();
        Assert.Equal(7, await (await EnqueueAsync()).WaitAsync(Eventually.Bound));

        async Task<TaskHandle<int>> EnqueueAsync()
        {
            while (true)
            {
                try
                {
                    return await queue.EnqueueAsync(new Count(7));
                }
                catch (BackendException e) when (e.IsTransient)
                {
                    // It starts up.
                }
            }
        }
    }

    [Theory]
    [InlineData("turns")]
    [InlineData("heartbeats")]
    [InlineData("listens")]
    [InlineData("notifies")]
    [InlineData("%")]
    public async Task A_connection_that_the_server_ends_is_made_anew(string purpose)
    {
        var options = new PostgresBackendOptions { Schema = PostgresServer.NewSchema() };
        var application = "load" + options.Schema;
        await using var backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { ApplicationName = application }.ConnectionString, options);
        await using var load = await Load.StartAsync(backend);
        for (var i = 0; i < 10; i++)
        {
            await load.ReachesAsync(load.Acknowledged + 50);
            await PostgresServer.ExecuteAsync(
                server.ConnectionString(),
                $"select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like '{application} {purpose}'");
        }

        await load.EndsAsync();
        await Eventually.TrueAsync(
            async () => 1L == (long)(await PostgresServer.ExecuteAsync(
                server.ConnectionString(),
                $"select count(*) from pg_stat_activity where application_name = '{application} listens'"))!,
            "the listener is replaced");
    }
}
