namespace Errand.Bench.Scenarios;

/// <summary>
/// Whether a store that has grown is as fast as an empty one: callers and a worker together, on an empty store and beside ten
/// other tasks for each, that are scheduled for tomorrow, that wait behind urgent ones, or that have finished.
/// </summary>
internal sealed class Growth(Site site) : IScenario
{
    private const string Empty = "live, empty store";
    private const int OthersForEach = 10;
    private const int Chunk = 1_000;

    public string Name => "growth";

    public string Backend => site.Backend;

    public string Summary => "callers and a worker beside ten others for each task (by default a million): scheduled, waiting or finished";

    public int Rounds => 3;

    public int? Tasks => 100_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in site.Stores(Store.Memory, Store.Full))
        {
            yield return Case(Empty, (_, _) => Task.CompletedTask);
            yield return Case($"live, {tasks * OthersForEach:N0} scheduled", (open, n) => FillAsync(open, n, new EnqueueOptions { Delay = TimeSpan.FromDays(1) }));
            yield return Case($"live, {tasks * OthersForEach:N0} waiting", (open, n) => FillAsync(open, n, new EnqueueOptions { Priority = -1 }));
            yield return Case($"live, {tasks * OthersForEach:N0} finished", FinishAsync);

            Case Case(string name, Func<OpenStore, int, Task> before) => new(name, store, tasks, site.At(async (open, n) =>
            {
                await before(open, n);
                return await LiveAsync(open, n);
            })) { Raw = Empty };
        }
    }

    /// <summary>The worker knows the others as well, and comes to those that wait when it has nothing else.</summary>
    private static async Task<double> LiveAsync(OpenStore store, int tasks) =>
        await Load.LiveAsync(store, tasks, callers: 64, handlers => handlers.Add<Other>((_, _) => ValueTask.CompletedTask));

    private static async Task FillAsync(OpenStore store, int tasks, EnqueueOptions options)
    {
        foreach (var chunk in Enumerable.Range(0, tasks * OthersForEach).Select(_ => new Other()).Chunk(Chunk))
        {
            await store.Queue.EnqueueManyAsync(chunk, options);
        }
    }

    private static async Task FinishAsync(OpenStore store, int tasks)
    {
        var left = tasks * OthersForEach;
        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await FillAsync(store, tasks, new EnqueueOptions());
        await using var worker = new TaskWorker(store.Backend, new TaskHandlers().Add<Other>((_, _) =>
        {
            if (Interlocked.Decrement(ref left) == 0)
            {
                finished.SetResult();
            }

            return ValueTask.CompletedTask;
        }));
        await worker.StartAsync();
        await finished.Task.WaitAsync(TimeSpan.FromMinutes(10));
    }

    [TaskName("other")]
    private sealed record Other : ITask;
}
