using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Errand.Torture;

/// <summary>One thing that one process did or saw.</summary>
/// <param name="Process">Who.</param>
/// <param name="Ticks">When, on the machine's monotonic clock, which all processes share.</param>
/// <param name="Kind">What.</param>
/// <param name="Id">Which task; 0 for none.</param>
/// <param name="Epoch">Which start of it; 0 for none.</param>
/// <param name="Value">More, by kind.</param>
internal sealed record Event(string Process, long Ticks, EventKind Kind, long Id = 0, long Epoch = 0, long Value = 0)
{
    internal TimeSpan Since(Event earlier) => Stopwatch.GetElapsedTime(earlier.Ticks, Ticks);
}

internal enum EventKind
{
    /// <summary>An enqueue is about to be tried. Value: the rows that the task writes when it succeeds.</summary>
    Enqueue,

    /// <summary>It was acknowledged. Value: the most attempts that the task may have.</summary>
    Enqueued,

    /// <summary>A handler started. Value: milliseconds by which it was early; at most zero is right.</summary>
    Started,

    /// <summary>A settlement is about to be tried.</summary>
    Settle,

    /// <summary>It was acknowledged. Value: 1 when it succeeded with a result, else 0.</summary>
    Settled,

    /// <summary>It was refused: the lease was lost.</summary>
    Fenced,

    /// <summary>The process is about to be killed: from here on nobody waits for its lease.</summary>
    Killed,

    /// <summary>A worker began or said that it lives, and was believed. Value: how many milliseconds ago it tried to.</summary>
    Beat,
}

/// <summary>
/// A process's own file of events. Each is one write to a file opened for appending, so that kill -9 loses none that was written and
/// tears none.
/// </summary>
internal sealed class History : IDisposable
{
    private readonly FileStream _file;
    private readonly Lock _lock;
    private readonly string _process;

    internal History(string folder, string process)
        : this(new FileStream(Path.Combine(folder, $"{process}.jsonl"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, 0), new(), process)
    {
    }

    private History(FileStream file, Lock @lock, string process)
    {
        _file = file;
        _lock = @lock;
        _process = process;
    }

    /// <summary>The same file, for one of several that play in one process.</summary>
    internal History As(string process) => new(_file, _lock, process);

    internal void Note(EventKind kind, long id = 0, long epoch = 0, long value = 0) => Note(_process, kind, id, epoch, value);

    internal void Note(string who, EventKind kind, long id = 0, long epoch = 0, long value = 0)
    {
        var json = JsonSerializer.Serialize(new Event(who, Stopwatch.GetTimestamp(), kind, id, epoch, value));
        lock (_lock)
        {
            _file.Write(Encoding.UTF8.GetBytes(json + "\n"));
        }
    }

    internal static List<Event> ReadAll(string folder) =>
    [
        .. Directory.GetFiles(folder, "*.jsonl")
            .SelectMany(File.ReadAllLines)
            .Where(line => line.EndsWith('}')) // The last of one that was killed may be torn by the disk, never by us.
            .Select(line => JsonSerializer.Deserialize<Event>(line)!)
            .OrderBy(one => one.Ticks),
    ];

    public void Dispose() => _file.Dispose();

    internal static string Name(string role, int number) => string.Create(CultureInfo.InvariantCulture, $"{role}{number}");
}
