using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Errand.Torture;

/// <summary>One thing that one process did or saw.</summary>
/// <param name="Process">Who.</param>
/// <param name="Ticks">When, on the machine's monotonic clock, which all processes share.</param>
/// <param name="Kind">What.</param>
/// <param name="Id">Which task; 0 for none.</param>
/// <param name="Epoch">Which start of it; 0 for none.</param>
/// <param name="Value">More, by kind, as the next.</param>
/// <param name="Other">Still more.</param>
/// <param name="Until">When a task expires, ms UTC; 0 for never.</param>
/// <param name="Queue">Which queue; null for none.</param>
/// <param name="Key">The unique key of a task; null for none.</param>
internal sealed record Event(
    string Process, long Ticks, EventKind Kind, long Id = 0, long Epoch = 0, long Value = 0, long Other = 0, long Until = 0,
    string? Queue = null, string? Key = null)
{
    internal TimeSpan Since(Event earlier) => Stopwatch.GetElapsedTime(earlier.Ticks, Ticks);
}

public enum EventKind
{
    /// <summary>
    /// An enqueue is about to be tried. Value: the rows that the task writes when it succeeds. Other: milliseconds for which its key
    /// stays taken.
    /// </summary>
    Enqueue,

    /// <summary>It was acknowledged. Value: the most attempts that the task may have. Other: 1 when it was told to be new.</summary>
    Enqueued,

    /// <summary>It was answered that another task has the key. Other: which.</summary>
    Refused,

    /// <summary>A handler started. Value: milliseconds by which it was early; at most zero is right. Other: the attempt.</summary>
    Started,

    /// <summary>A settlement is about to be tried. Value: a <see cref="Outcome"/>.</summary>
    Settle,

    /// <summary>It was acknowledged. Value: as before.</summary>
    Settled,

    /// <summary>It was refused: the lease was lost.</summary>
    Fenced,

    /// <summary>The process is about to be killed: from here on nobody waits for its lease.</summary>
    Killed,

    /// <summary>A worker began or said that it lives, and was believed. Value: how many milliseconds ago it tried to.</summary>
    Beat,

    /// <summary>Somebody is about to ask for a task to be cancelled.</summary>
    Cancel,

    /// <summary>The answer. Value: a <see cref="CancelOutcome"/>, or -1 when there was no such task.</summary>
    CancelAnswered,

    /// <summary>Somebody is about to ask for a task to run again.</summary>
    Replay,

    /// <summary>The answer. Value: 1 for yes.</summary>
    Replayed,

    /// <summary>A queue is about to be paused.</summary>
    Pause,

    /// <summary>It is.</summary>
    Paused,

    /// <summary>A queue is about to be resumed.</summary>
    Resume,

    /// <summary>It is.</summary>
    Resumed,

    /// <summary>What the clock on the wall says at this moment. Value: ms UTC.</summary>
    Clock,
}

/// <summary>How an attempt is settled.</summary>
public enum Outcome
{
    /// <summary>With a failure, of which is not told what follows.</summary>
    Unknown,

    Success,

    /// <summary>With a failure that another attempt follows.</summary>
    Retry,

    /// <summary>With a failure for good.</summary>
    Failure,

    Cancelled,
    Snoozed,
    Released,
}

/// <summary>
/// A process's own file of events. Each is one write to a file opened for appending, so that kill -9 loses none that was written and
/// tears none.
/// </summary>
internal sealed class History : IDisposable
{
    private static readonly JsonSerializerOptions WithoutDefaults =
        new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };

    private readonly FileStream _file;
    private readonly Lock _lock;
    private readonly string _process;

    internal History(string folder, string process)
        : this(new FileStream(Path.Combine(folder, $"{process}.jsonl"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, 0), new(), process) =>
        Note(EventKind.Clock, value: DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    private History(FileStream file, Lock @lock, string process)
    {
        _file = file;
        _lock = @lock;
        _process = process;
    }

    /// <summary>The same file, for one of several that play in one process.</summary>
    internal History As(string process) => new(_file, _lock, process);

    internal void Note(
        EventKind kind, long id = 0, long epoch = 0, long value = 0, long other = 0, long until = 0, string? queue = null,
        string? key = null)
    {
        var noted = new Event(_process, Stopwatch.GetTimestamp(), kind, id, epoch, value, other, until, queue, key);
        var json = JsonSerializer.SerializeToUtf8Bytes(noted, WithoutDefaults);
        lock (_lock)
        {
            _file.Write([.. json, (byte)'\n']);
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
