using System.Diagnostics;
using Errand.Sqlite;

namespace Errand.Bench;

/// <summary>Errand in use: a backend and its queue.</summary>
internal sealed class OpenStore : IAsyncDisposable
{
    internal OpenStore(Store store, string path)
        : this(new SqliteBackend(path, new SqliteBackendOptions
        {
            Durability = store == Store.Relaxed ? Durability.Relaxed : Durability.Full,
        }))
    {
    }

    /// <summary>Owns the backend from now on.</summary>
    internal OpenStore(IBackend backend)
    {
        Backend = backend;
        Queue = new TaskQueue(backend);
    }

    internal IBackend Backend { get; }

    internal TaskQueue Queue { get; }

    /// <summary>A measurement with one metric, of a store that is open before the clock runs.</summary>
    internal static Func<Place, int, Task<double[]>> Measure(Func<OpenStore, int, Task<double>> measure) =>
        async (place, tasks) =>
        {
            await using var store = new OpenStore(place.Store, place.Path);
            await store.Queue.InitializeAsync();
            return [await measure(store, tasks)];
        };

    internal async Task FillAsync(int tasks, EnqueueOptions? options = null)
    {
        foreach (var chunk in Note.Some(tasks).Chunk(1_000))
        {
            await Queue.EnqueueManyAsync(chunk, options);
        }
    }

    /// <summary>Has a worker run all notes, also those that come meanwhile.</summary>
    /// <param name="tasks">How many notes there are in all.</param>
    /// <param name="meanwhile">Work that runs beside the worker.</param>
    /// <param name="others">Adds the handlers of other tasks, which nobody waits for.</param>
    /// <param name="blocking">Whether the handler may block, and so runs on a thread of the worker's own.</param>
    /// <param name="options">The worker's options. Default is null: all defaults.</param>
    /// <returns>How long it took, from before the worker's start until the last outcome was stored.</returns>
    internal async Task<TimeSpan> DrainAsync(
        int tasks, Func<Task>? meanwhile = null, Action<TaskHandlers>? others = null, bool blocking = false,
        TaskWorkerOptions? options = null)
    {
        var tally = new Tally(tasks);
        var handlers = blocking ? tally.BlockingHandlers : tally.Handlers;
        others?.Invoke(handlers);
        await using var worker = new TaskWorker(Backend, handlers, options);
        var watch = Stopwatch.StartNew();
        await worker.StartAsync();
        await (meanwhile?.Invoke() ?? Task.CompletedTask);
        await tally.AllRanAsync();
        await worker.StopAsync(); // Returns when the last outcome is stored.
        var elapsed = watch.Elapsed;
        tally.CheckThatEachRanOnce();
        return elapsed;
    }

    public async ValueTask DisposeAsync()
    {
        await Queue.DisposeAsync();
        await Backend.DisposeAsync();
    }
}
