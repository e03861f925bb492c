using System.Collections.Concurrent;
using System.Globalization;
using Errand.PowerCut;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>
/// The power goes between any two operations of the disk. One run of the script is recorded by a file system layer of SQLite; each
/// disk that the power may leave is then laid out as files, opened without that layer, compared, and worked off.
/// </summary>
public sealed class PowerCutTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _images;
    private int _lost; // Disks that lack something acknowledged.

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Survivors.None)]
    [InlineData(Survivors.Some)]
    [InlineData(Survivors.Torn)]
    internal Task Full_loses_nothing_acknowledged_wherever_the_power_is_cut(Survivors survivors) =>
        WalkAsync(Durability.Full, survivors, point => point.Acknowledged);

    [Theory]
    [InlineData(Survivors.None)]
    [InlineData(Survivors.Some)]
    [InlineData(Survivors.Torn)]
    internal Task Relaxed_loses_the_last_second_at_most_wherever_the_power_is_cut(Survivors survivors) =>
        WalkAsync(Durability.Relaxed, survivors, point => point.AcknowledgedBefore);

    /// <summary>
    /// The proof rests on a journal without holes: what it says of a process that was killed must be, byte for byte, what that
    /// process left behind.
    /// </summary>
    [Theory]
    [InlineData(40)]
    [InlineData(170)]
    [InlineData(301)]
    public async Task The_journal_of_a_process_that_is_killed_at_an_operation_gives_the_very_files_that_it_left(int operation)
    {
        await using var process = DummyProcess.StartProgram(
            typeof(Script).Assembly.Location, _folder.Path, "Full", operation.ToString(CultureInfo.InvariantCulture));
        await process.ExitAsync();
        Assert.True(process.ExitCode == 137, string.Join('\n', process.Errors));

        var journal = Journal.Read(_folder.File("journal"));
        var (_, disk) = CutPoint.Walk(journal).Last();

        var files = disk.Cut(Survivors.All, seed: 0);
        Assert.Contains("tasks.db-wal", files.Keys);
        foreach (var (name, bytes) in files)
        {
            Assert.Equal(await File.ReadAllBytesAsync(_folder.File(name), Token), bytes);
        }
    }

    private async Task WalkAsync(Durability durability, Survivors survivors, Func<CutPoint, int> kept)
    {
        var (journal, states) = await RecordAsync(durability);
        var images = new Dictionary<string, Image>(StringComparer.Ordinal);
        var seed = 0;
        foreach (var (point, disk) in CutPoint.Walk(journal))
        {
            var image = new Image(
                disk.Cut(survivors, ++seed), seed, point.Asked, point.Acknowledged, kept(point), point.LastId);
            images[image.Hash] = images.TryGetValue(image.Hash, out var same) ? image with { Asked = same.Asked } : image;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{seed} cuts, {images.Count} different disks, {states.Count} states");
        await Parallel.ForEachAsync(images.Values, Token, async (image, _) => await CheckAsync(image, states));
        Assert.True((durability == Durability.Relaxed) == (_lost > 0), $"{_lost} disks lacked something acknowledged");
    }

    private async Task<(List<JournalRecord> Journal, IReadOnlyList<string> States)> RecordAsync(Durability durability)
    {
        using var held = await CutFileSystem.TakeAsync();
        CutFileSystem.Record(_folder.File("journal"));
        await using var script = new Script(_folder.File("tasks.db"), durability);
        await script.RunAsync();
        return (CutFileSystem.EndRecord(_folder.File("journal")), script.States);
    }

    private async Task CheckAsync(Image image, IReadOnlyList<string> states)
    {
        var folder = Directory.CreateDirectory(_folder.File($"disk{Interlocked.Increment(ref _images)}"));
        var path = Path.Combine(folder.FullName, "tasks.db");
        foreach (var (name, bytes) in image.Files)
        {
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, name), bytes, Token);
        }

        try
        {
            var (integrity, found) = Database.Examine(path);
            Assert.Equal("ok", integrity);
            var step = states.ToList().LastIndexOf(found, image.Asked);
            Assert.True(step >= image.Kept, $"after step {image.Kept} to {image.Asked} it holds what was after {step}:\n{found}");
            Interlocked.Add(ref _lost, step < image.Acknowledged ? 1 : 0);
            await WorkOffAsync(path, found, image.LastId);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Cut {image.Seed}: {e.Message}", e);
        }

        folder.Delete(recursive: true);
    }

    private static async Task WorkOffAsync(string path, string found, long lastId)
    {
        var live = Database.IdsIn(found, "tasks").ToArray();
        foreach (var owner in Database.IdsIn(found, "workers"))
        {
            await File.WriteAllBytesAsync($"{path}-worker-{owner:x}", [], Token); // Of a process that is no more.
        }

        var clock = new ManualTimeProvider();
        clock.Advance(Script.Length);
        await using var backend = new SqliteBackend(path, new SqliteBackendOptions
        {
            TimeProvider = clock, Durability = Durability.Relaxed,
        });
        await using var queue = new TaskQueue(backend);
        Assert.True(await queue.NewIdAsync(Token) > new TaskId(lastId), "an id is given twice");

        var started = new ConcurrentBag<TaskId>();
        var handlers = new TaskHandlers().Add<Note, int>((note, context) =>
        {
            started.Add(context.Id);
            return note.Number;
        });
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync(Token);
        clock.Advance(TimeSpan.FromSeconds(2)); // What ran when the power went waits for its back-off.
        var added = await queue.EnqueueAsync(new Note(1), null, Token);
        TaskId[] all = [.. live.Select(id => new TaskId(id)), added.Id];
        foreach (var id in all)
        {
            var result = await backend.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token);
            Assert.Equal(TaskState.Succeeded, result?.State);
        }

        Assert.Equal(all.Order(), started.Order());
    }

    private sealed record Image(
        Dictionary<string, byte[]> Files, int Seed, int Asked, int Acknowledged, int Kept, long LastId)
    {
        internal string Hash { get; } = string.Join(' ', Files
            .OrderBy(file => file.Key, StringComparer.Ordinal)
            .Select(file => $"{file.Key}:{Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(file.Value))}"));
    }
}
