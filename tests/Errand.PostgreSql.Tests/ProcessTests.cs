using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>Two processes on one schema.</summary>
public sealed class ProcessTests(PostgresServer server) : IAsyncLifetime
{
    private readonly string _schema = PostgresServer.NewSchema();
    private PostgresBackend _backend = null!;
    private TaskQueue _queue = null!;

    [TaskName("note")]
    internal sealed record Note(int Number) : ITask<int>;

    [TaskName("hang")]
    internal sealed record Hang : ITask;

    [TaskName("starve")]
    internal sealed record Starve(int Milliseconds) : ITask;

    public async ValueTask InitializeAsync()
    {
        _backend = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema });
        _queue = new TaskQueue(_backend);
        await _queue.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private async Task<DummyProcess> WorkAsync(string lease)
    {
        var process = DummyProcess.Start("work", $"{_schema}@{server.ConnectionString()}", lease);
        await process.PrintsAsync(line => line == "ready", "ready");
        return process;
    }

    private static string[] Notes(DummyProcess process) =>
        [.. process.Lines.Where(line => line.StartsWith("note", StringComparison.Ordinal))];

    [Fact]
    public async Task Two_processes_share_the_tasks_and_each_is_run_once()
    {
        await using var first = await WorkAsync("30000");
        await using var second = await WorkAsync("30000");
        List<TaskHandle> handles = [];
        for (var i = 0; Notes(first).Length == 0 || Notes(second).Length == 0; i++)
        {
            Assert.True(i < 1_000, "Both have had some.");
            handles.AddRange(await _queue.EnqueueManyAsync(Enumerable.Range(0, 100).Select(number => new Note(number))));
            await handles[^1].WaitAsync(Eventually.Bound);
        }

        foreach (var handle in handles)
        {
            await handle.WaitAsync(Eventually.Bound);
        }

        await Eventually.TrueAsync(() => Notes(first).Length + Notes(second).Length == handles.Count, "each was run");
        Assert.Equal(
            handles.Select(handle => $"note {handle.Id} 1 1").Order(StringComparer.Ordinal),
            Notes(first).Concat(Notes(second)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_a_killed_process_was_running_starts_again_in_the_other_when_its_lease_has_run_out()
    {
        await using var victim = await WorkAsync("1000");
        var handle = await _queue.EnqueueAsync(new Hang());
        await victim.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");
        await using var other = await WorkAsync("1000");

        await victim.KillAsync();

        await other.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that it has started again");
    }

    [Fact]
    public async Task Handlers_that_block_the_whole_thread_pool_cost_their_worker_no_lease()
    {
        await using var first = await WorkAsync("6000");
        var handle = await _queue.EnqueueAsync(new Starve(8_000));
        await first.PrintsAsync(line => line == $"starve {handle.Id} 1 1", "that the task has started");
        await using var second = await WorkAsync("6000");

        await handle.WaitAsync(2 * Eventually.Bound);

        var result = await _queue.GetResultAsync(handle.Id);
        Assert.Equal((TaskState.Succeeded, 1), (result!.State, result.Attempts));
        Assert.DoesNotContain(second.Lines, line => line.StartsWith("starve", StringComparison.Ordinal));
    }
}
