using System.Collections.Concurrent;
using System.Globalization;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Handlers and the backend have one connection string, and with it one pool, if the backend used any.</summary>
public sealed class PoolTests(PostgresServer server)
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    [TaskName("hog")]
    internal sealed record Hog : ITask<int>;

    [Fact]
    public async Task Handlers_that_take_every_connection_of_their_pool_cost_the_worker_neither_its_lease_nor_its_other_tasks()
    {
        var schema = PostgresServer.NewSchema();
        var shared = new NpgsqlConnectionStringBuilder(server.ConnectionString())
        {
            Pooling = true, MaxPoolSize = 2, Timeout = 30, ApplicationName = schema,
        }.ConnectionString;
        await using var backend = new PostgresBackend(shared, new PostgresBackendOptions { Schema = schema });
        var taken = new ConcurrentBag<int>();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handlers = new TaskHandlers()
            .Add<Hog, int>(async (_, context) =>
            {
                await using var connection = new NpgsqlConnection(shared);
                await connection.OpenAsync();
                taken.Add(connection.ProcessID);
                await enough.Task;
                return context.Attempt;
            })
            .Add<Count, int>((count, _) => count.Number);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Lease = Lease, Heartbeat = Lease / 5 });
        await worker.StartAsync();
        var hogs = await queue.EnqueueManyAsync(Enumerable.Range(0, 6).Select(_ => new Hog()));
        await Eventually.TrueAsync(() => taken.Count == 2, "the pool is exhausted");

        await Eventually.TrueAsync(() => BeatsForAsync(schema, Lease * 2), "the worker is heard of for longer than its lease");
        var other = await queue.EnqueueAsync(new Count(7));
        Assert.Equal(7, await other.WaitAsync(Eventually.Bound));

        enough.SetResult();
        foreach (var hog in hogs)
        {
            Assert.Equal(1, (await queue.GetResultAsync(hog.Id, Eventually.Bound))!.GetValue<int>());
        }
    }

    private async Task<bool> BeatsForAsync(string schema, TimeSpan time) => (long)(await PostgresServer.ExecuteAsync(
        server.ConnectionString(), $"select max(beat - started) from {schema}.errand_workers"))! >= (long)time.TotalMilliseconds;
}
