using System.Diagnostics;
using Errand.Sqlite;

namespace Errand.Bench;

/// <summary>Where tasks are kept, in the words of the JSON file.</summary>
internal sealed record Store(string Kind, string Durability)
{
    internal static Store Memory { get; } = new("memory", "none");

    internal static Store Full { get; } = new("file", "full");

    internal static Store Relaxed { get; } = new("file", "relaxed");

    internal static IReadOnlyList<Store> All { get; } = [Memory, Full, Relaxed];
}

/// <summary>A store in use: new, and gone with its folder when this is disposed.</summary>
internal sealed class OpenStore : IAsyncDisposable
{
    private readonly DirectoryInfo? _folder;

    internal OpenStore(Store store)
    {
        _folder = store == Store.Memory ? null : Directory.CreateTempSubdirectory("errand-bench-");
        Backend = new SqliteBackend(
            _folder is null ? ":memory:" : Path.Combine(_folder.FullName, "tasks.db"),
            new SqliteBackendOptions { Durability = store == Store.Relaxed ? Durability.Relaxed : Durability.Full });
        Queue = new TaskQueue(Backend);
    }

    internal SqliteBackend Backend { get; }

    internal TaskQueue Queue { get; }

    internal async Task FillAsync(int tasks)
    {
        foreach (var chunk in Note.Some(tasks).Chunk(1_000))
        {
            await Queue.EnqueueManyAsync(chunk);
        }
    }

    /// <summary>Has a worker with default options run all tasks, those that are there and those that come meanwhile.</summary>
    /// <returns>How long it took, from before the worker's start until the last outcome was stored.</returns>
    internal async Task<TimeSpan> DrainAsync(int tasks, Func<Task>? meanwhile = null)
    {
        var tally = new Tally(tasks);
        await using var worker = new TaskWorker(Backend, tally.Handlers);
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
        _folder?.Delete(recursive: true);
    }
}
