using System.Text.Json;
using Errand;

namespace Checksums;

/// <summary>
/// What a run has to do: the files and the ids of their tasks. It is kept beside the database until the manifest is
/// written, and it is there before the first task: so every enqueue can be repeated, and the second finds the first.
/// </summary>
internal sealed record Plan(string Root, IReadOnlyList<PlannedFile> Files)
{
    /// <summary>Reads the plan of an earlier run.</summary>
    /// <returns>Null when there is none, or it is damaged.</returns>
    internal static Plan? Read(string path)
    {
        try
        {
            using var lines = File.ReadLines(path).GetEnumerator();
            var head = lines.MoveNext() ? JsonSerializer.Deserialize<Head>(lines.Current) : null;
            var files = new List<PlannedFile>();
            while (lines.MoveNext())
            {
                files.Add(JsonSerializer.Deserialize<PlannedFile>(lines.Current) ?? throw new JsonException());
            }

            return head is not null && head.Count == files.Count ? new Plan(head.Root, files) : null;
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Gives an id to every file that has none, and writes the plan.</summary>
    internal async Task<Plan> SaveAsync(string path, ITaskQueue queue, CancellationToken cancellationToken)
    {
        var files = new List<PlannedFile>(Files.Count);
        foreach (var chunk in Files.Chunk(1_000)) // What is asked for together is answered together.
        {
            files.AddRange(await Task.WhenAll(chunk.Select(async file =>
                file.Id != default ? file : file with { Id = await queue.NewIdAsync(cancellationToken) })));
        }

        var head = JsonSerializer.Serialize(new Head(Root, files.Count));
        AtomicFile.WriteLines(path, files.Select(file => JsonSerializer.Serialize(file)).Prepend(head));
        return this with { Files = files };
    }

    private sealed record Head(string Root, int Count);
}

/// <summary>One line of the plan.</summary>
/// <param name="Id">The id of its task; 0 while it has none.</param>
/// <param name="Path">Relative to the plan's root.</param>
/// <param name="Problem">Why it gets no task. Default is null: it gets one.</param>
internal sealed record PlannedFile(TaskId Id, string Path, string? Problem = null);
