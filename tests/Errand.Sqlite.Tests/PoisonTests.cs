using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>A task that ends its process, beside others that do nothing wrong.</summary>
public sealed class PoisonTests : IDisposable
{
    [TaskName("good")]
    internal sealed record Good : ITask<int>;

    [TaskName("poison")]
    internal sealed record Poison : ITask;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_task_that_kills_its_process_fails_alone_and_its_neighbours_succeed()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await using var queue = new TaskQueue(backend);
        var handles = await queue.EnqueueManyAsync([new Poison(), .. Enumerable.Range(0, 31).Select(ITaskPayload (_) => new Good())], cancellationToken: Token);
        await RunToTheEndAsync(queue, handles, "work", backend.Path);
    }

    /// <summary>The process is started again whenever it has died, until every task has ended.</summary>
    private async Task RunToTheEndAsync(TaskQueue queue, IReadOnlyList<TaskHandle> handles, params string[] arguments)
    {
        var ended = Task.WhenAll(handles.Select(handle => queue.GetResultAsync(handle.Id, TimeSpan.FromMinutes(3), Token)));
        while (!ended.IsCompleted)
        {
            await using var process = DummyProcess.Start(arguments);
            await Eventually.TrueAsync(() => process.HasExited || ended.IsCompleted, "it dies, or all has ended", TimeSpan.FromMinutes(3));
        }

        var results = await ended;
        Assert.Equal((TaskState.Failed, 5), (results[0]!.State, results[0]!.Attempts));
        Assert.All(results.Skip(1), result => Assert.Equal(TaskState.Succeeded, result!.State));
        Assert.All(results.Skip(1), result => Assert.InRange(result!.Attempts, 1, 2));
    }
}
