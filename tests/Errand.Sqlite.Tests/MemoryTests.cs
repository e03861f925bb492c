using Errand.TestKit;
using SQLitePCL;

namespace Errand.Sqlite.Tests;

/// <summary>What is true of <c>:memory:</c> alone, and what a backend leaves behind. Runs alone: it counts.</summary>
[Collection(nameof(Alone))]
public sealed class MemoryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_backends_in_memory_are_two_databases_and_disposing_one_frees_its_memory_alone()
    {
        await using var kept = new SqliteBackend(":memory:");
        await using var keptQueue = new TaskQueue(kept);
        var handle = await keptQueue.EnqueueAsync(new Note(1), null, Token);
        await keptQueue.EnqueueAsync(new Note(2), null, Token);
        var before = raw.sqlite3_memory_used();

        var other = new SqliteBackend(":memory:");
        await using (var otherQueue = new TaskQueue(other))
        {
            await Assert.ThrowsAsync<TaskNotFoundException>(() => otherQueue.GetResultAsync(handle.Id, cancellationToken: Token));
            await other.EnqueueAsync([.. Enumerable.Repeat(new NewTask { Name = "note", Payload = new byte[1_000] }, 20_000)], Token);
        }

        Assert.True(raw.sqlite3_memory_used() > before + 20_000_000);
        await other.DisposeAsync();

        Assert.InRange(raw.sqlite3_memory_used(), 0, before + 100_000);
        Assert.Null(await keptQueue.GetResultAsync(handle.Id, cancellationToken: Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_thread_handle_or_file_descriptor_stays(bool isMemory)
    {
        using var folder = new TemporaryFolder();
        await UseAsync(folder, isMemory, 3); // What the runtime opens once and keeps.
        var threads = Threads();
        var files = Files();

        await UseAsync(folder, isMemory, 30);

        await Eventually.TrueAsync(
            () => Threads() <= threads && Files() <= files, $"threads were {threads}, are {Threads()}; files were {files}, are {Files()}");
        Assert.DoesNotContain(Directory.GetFiles(folder.Path), file => file.Contains("-worker-", StringComparison.Ordinal));
    }

    private static async Task UseAsync(TemporaryFolder folder, bool isMemory, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await using var backend = new SqliteBackend(isMemory ? ":memory:" : folder.File($"{i}.db"));
            await using var queue = new TaskQueue(backend);
            await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
            await worker.StartAsync(Token);
            var handle = await queue.EnqueueAsync(new Note(i), null, Token);
            Assert.Equal(i, await handle.WaitAsync(Eventually.Bound, Token));
        }
    }

    /// <summary>Threads of ours, by name: the thread pool's come and go as they like.</summary>
    private static int Threads() => Directory.GetDirectories("/proc/self/task").Count(IsOurs);

    private static bool IsOurs(string thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "comm")).StartsWith("errand", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException or IOException)
        {
            return false; // It ended while it was being counted.
        }
    }

    private static int Files() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
}

[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
