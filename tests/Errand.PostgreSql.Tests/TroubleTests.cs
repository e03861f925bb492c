using Errand.PrivatePostgres;
using System.Collections.Concurrent;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Servers that restart and connections that are ended: nothing that was acknowledged is lost, and nothing runs twice.</summary>
public sealed class TroubleTests(PostgresServer server)
{
    [TaskName("count")]
    public sealed record Count(int Number) : ITask<int>;

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

    /// <summary>Callers that enqueue, and a worker that counts how often each task is run.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private readonly ConcurrentDictionary<int, int> _runs = new();
        private readonly ConcurrentDictionary<long, int> _acknowledged = new();
        private readonly CancellationTokenSource _ending = new();
        private readonly TaskQueue _queue;
        private readonly TaskWorker _worker;
        private Task[] _callers = [];
        private int _next;

        private Load(IBackend backend)
        {
            _queue = new TaskQueue(backend);
            _worker = new TaskWorker(
                backend,
                new TaskHandlers().Add<Count, int>((task, _) =>
                {
                    _runs.AddOrUpdate(task.Number, 1, (_, count) => count + 1);
                    return task.Number;
                }),
                new TaskWorkerOptions { Heartbeat = TimeSpan.FromMilliseconds(200) });
        }

        internal int Acknowledged => _acknowledged.Count;

        internal static async Task<Load> StartAsync(IBackend backend)
        {
            var load = new Load(backend);
            await load._worker.StartAsync();
            load._callers = [.. Enumerable.Range(0, 16).Select(_ => Task.Run(load.CallAsync))];
            return load;
        }

        internal Task ReachesAsync(int count) =>
            Eventually.TrueAsync(() => Acknowledged >= count, $"{count} tasks are acknowledged, after {Acknowledged}");

        /// <summary>Every acknowledged task succeeds, and no task has run more than once.</summary>
        internal async Task EndsAsync()
        {
            await _ending.CancelAsync();
            await Task.WhenAll(_callers);
            foreach (var (id, number) in _acknowledged)
            {
                var result = await _queue.GetResultAsync(id, Eventually.Bound);
                Assert.Equal((TaskState.Succeeded, 1), (result!.State, result.Attempts));
                Assert.Equal(number, result.GetValue<int>());
            }

            Assert.All(_runs, run => Assert.Equal(1, run.Value));
        }

        public async ValueTask DisposeAsync()
        {
            await _ending.CancelAsync();
            await Task.WhenAll(_callers);
            await _worker.DisposeAsync();
            await _queue.DisposeAsync();
            _ending.Dispose();
        }

        private async Task CallAsync()
        {
            while (!_ending.IsCancellationRequested)
            {
                var number = Interlocked.Increment(ref _next);
                try
                {
                    _acknowledged[(await _queue.EnqueueAsync(new Count(number))).Id] = number;
                }
                catch (BackendException e) when (e.IsTransient)
                {
                    // It was told; it may exist or not.
                }

                await Task.Delay(5);
            }
        }
    }
}
