using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Whether a store that has grown is as fast as an empty one: callers and a worker together, on an empty store and beside ten
/// other tasks for each, that are scheduled for tomorrow, that wait behind urgent ones, or that have finished.
/// </summary>
internal sealed class Growth : IScenario
{
    private const string Empty = "live, empty store";
    private const int OthersForEach = 10;
    private const int Chunk = 1_000;

    private readonly PostgresServer? _server;

    /// <summary>On SQLite.</summary>
    internal Growth()
    {
    }

    internal Growth(PostgresServer server) => _server = server;

    public string Name => "growth";

    public string Backend => _server is null ? "sqlite" : PostgresServer.Backend;

    public string Summary => "callers and a worker beside ten others for each task (by default a million): scheduled, waiting or finished";

    public int Rounds => 3;

    public int? Tasks => 100_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])(_server is null ? [Store.Memory, Store.Full] : [Store.Postgres]))
        {
            yield return Case(Empty, (_, _) => Task.CompletedTask);
            yield return Case($"live, {tasks * OthersForEach:N0} scheduled", (open, n) => FillAsync(open, n, new EnqueueOptions { Delay = TimeSpan.FromDays(1) }));
            yield return Case($"live, {tasks * OthersForEach:N0} waiting", (open, n) => FillAsync(open, n, new EnqueueOptions { Priority = -1 }));
            yield return Case($"live, {tasks * OthersForEach:N0} finished", FinishAsync);

            Case Case(string name, Func<OpenStore, int, Task> before) => new(name, store, tasks, At(async (open, n) =>
            {
                await before(open, n);
                return await LiveAsync(open, n);
            })) { Raw = Empty };
        }
    }

    private Func<Place, int, Task<double[]>> At(Func<OpenStore, int, Task<double>> measure) =>
        _server is null ? OpenStore.Measure(measure) : _server.Measure(measure);

    /// <summary>The worker knows the others as well, and comes to those that wait when it has nothing else.</summary>
    private static async Task<double> LiveAsync(OpenStore store, int tasks) =>
        await Load.LiveAsync(store, tasks, callers: 64, handlers => handlers.Add<Other>((_, _) => { }));

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
        }));
        await worker.StartAsync();
        await finished.Task.WaitAsync(TimeSpan.FromMinutes(10));
    }

    [TaskName("other")]
    private sealed record Other : ITask;
}
