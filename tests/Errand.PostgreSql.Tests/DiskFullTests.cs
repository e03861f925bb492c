using System.Security.Cryptography;
using Errand.PrivatePostgres;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>A server whose disk is full: a small one, or where none can be had, a table that says what a full disk says.</summary>
public sealed class DiskFullTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Megabytes = 32;

    private PostgresCluster _cluster = null!;
    private string _connectionString = "";

    [TaskName("fat")]
    internal sealed record Fat(byte[] Bytes) : ITask<int>;

    public async ValueTask InitializeAsync()
    {
        if (!PostgresCluster.CanHaveSmallDisk)
        {
            output.WriteLine("No small disk can be mounted here: a trigger takes its place.");
            _cluster = await PostgresCluster.StartAsync();
            _connectionString = _cluster.ConnectionString();
            return;
        }

        _cluster = await PostgresCluster.StartWithSmallDiskAsync(Megabytes);
        await AskAsync(_cluster.ConnectionString(), $"create tablespace small location '{_cluster.SmallDisk}'");
        await AskAsync(_cluster.ConnectionString(), "create database small tablespace small");
        _connectionString = _cluster.ConnectionString("small");
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private static Task<object?> AskAsync(string connectionString, string sql) => PostgresServer.ExecuteAsync(connectionString, sql);

    private Task<object?> FillAsync() => PostgresCluster.CanHaveSmallDisk
        ? AskAsync(_connectionString, "create table filler as select repeat('x', 1000) from generate_series(1, 8000)")
        : AskAsync(_connectionString, """
            create function full_disk() returns trigger language plpgsql
            as $$ begin if (select count(*) from errand.errand_tasks) > 40 then raise exception using errcode = '53100'; end if; return new; end $$;
            create trigger full_disk before insert on errand.errand_tasks for each row execute function full_disk()
            """);

    private Task<object?> MakeRoomAsync() => AskAsync(
        _connectionString, PostgresCluster.CanHaveSmallDisk ? "drop table filler" : "drop function full_disk cascade");

    [Fact]
    public async Task A_full_disk_is_told_as_such_and_work_resumes_when_there_is_room()
    {
        await using var backend = new PostgresBackend(_connectionString);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync();
        await FillAsync();
        var mayEnd = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handlers = new TaskHandlers().Add<Fat, int>(async (_, context) =>
        {
            await mayEnd.Task;
            return context.Attempt;
        });
        await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Concurrency = 4 });
        await worker.StartAsync();

        List<TaskHandle<int>> acknowledged = [];
        var full = await Assert.ThrowsAsync<BackendFullException>(async () =>
        {
            while (acknowledged.Count < 200)
            {
                acknowledged.Add(await queue.EnqueueAsync(new Fat(RandomNumberGenerator.GetBytes(250_000))));
            }
        });

        Assert.Contains("its disk is full", full.Message, StringComparison.Ordinal);
        Assert.Equal(PostgresErrorCodes.DiskFull, ((PostgresException)full.InnerException!).SqlState);
        Assert.NotEmpty(acknowledged);
        mayEnd.SetResult();
        await MakeRoomAsync();
        acknowledged.Add(await queue.EnqueueAsync(new Fat([1])));
        foreach (var handle in acknowledged)
        {
            Assert.Equal(1, await handle.WaitAsync(Eventually.Bound));
        }
    }
}
