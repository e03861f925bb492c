using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>Tables that are emptied under a live host, as tests do between two cases.</summary>
public sealed class EmptiedTests(PostgresServer server)
{
    private readonly string _schema = PostgresServer.NewSchema();

    private Task<object?> EmptyAsync() => PostgresServer.ExecuteAsync(
        server.ConnectionString(),
        $"""
        do $$ begin
            execute (
                select 'truncate ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' restart identity'
                from   pg_tables
                where  schemaname = '{_schema}' and tablename <> 'errand_meta');
        end $$
        """);

    [Fact]
    public async Task A_queue_and_a_worker_work_on()
    {
        await using var backend = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema });
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(
            backend, new TaskHandlers().Add<Count, int>((count, _) => count.Number),
            new TaskWorkerOptions { Heartbeat = TimeSpan.FromMilliseconds(200) });
        await worker.StartAsync();
        Assert.Equal(1, await (await queue.EnqueueAsync(new Count(1))).WaitAsync(Eventually.Bound));

        await EmptyAsync();

        Assert.Equal(2, await (await queue.EnqueueAsync(new Count(2))).WaitAsync(Eventually.Bound));
        await Eventually.TrueAsync(
            async () => (long)(await PostgresServer.ExecuteAsync(
                server.ConnectionString(), $"select count(*) from {_schema}.errand_workers"))! == 1,
            "the worker begins again");
        await Eventually.TrueAsync(
            async () =>
            {
                var id = (await queue.EnqueueAsync(new Count(3))).Id;
                await queue.GetResultAsync(id, Eventually.Bound);
                return (await backend.FindAsync(id))?.Name == "count";
            },
            "names are known again");
    }
}
