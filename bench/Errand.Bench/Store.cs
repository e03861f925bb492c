using System.Diagnostics;
using Errand.Sqlite;

namespace Errand.Bench;

/// <summary>Where tasks are kept: the words are those of the JSON file.</summary>
internal sealed record Store(string Kind, string Durability)
{
    internal static Store Memory { get; } = new("memory", "none");

    internal static Store Full { get; } = new("file", "full");

    internal static Store Relaxed { get; } = new("file", "relaxed");

    internal static IReadOnlyList<Store> All { get; } = [Memory, Full, Relaxed];

    /// <summary>Opens a new, empty one.</summary>
    internal async Task<OpenStore> OpenAsync()
    {
        var store = new OpenStore(this);
        await store.Queue.InitializeAsync();
        return store;
    }
}

/// <summary>A store in use; a file goes, with its folder, when it is disposed.</summary>
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

    /// <summary>Puts <paramref name="tasks"/> notes in, quickly.</summary>
    internal async Task FillAsync(int tasks)
    {
        foreach (var chunk in Note.Some(tasks).Chunk(1_000))
        {
            await Queue.EnqueueManyAsync(chunk);
        }
    }

    /// <summary>Runs the <paramref name="tasks"/> notes that are in it with one worker with default options.</summary>
    /// <returns>How long it took, from before the worker's start until the last outcome was stored.</returns>
    internal async Task<TimeSpan> DrainAsync(int tasks)
    {
        var tally = new Tally(tasks);
        await using var worker = new TaskWorker(Backend, tally.Handlers);
        var watch = Stopwatch.StartNew();
        await worker.StartAsync();
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
