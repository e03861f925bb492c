using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Errand.Running;

/// <summary>What is logged within one attempt, as text with a line for each entry. Thread-safe.</summary>
internal sealed class AttemptLog(LogLevel lowest, TimeProvider time)
{
    /// <summary>The longest log that is kept, in characters. What comes after it is counted.</summary>
    internal const int MaxLength = 64 * 1024;

    private const int RoomForCount = 64;

    private static readonly AsyncLocal<AttemptLog?> Attempt = new();

    private readonly Lock _lock = new();
    private StringBuilder? _text; // Under the lock, as the next two. Made when there is something to keep.
    private int _left;
    private bool _isEnded;

    /// <summary>That of the attempt which runs here; null outside attempts, and where nothing is kept.</summary>
    internal static AttemptLog? Current => Attempt.Value;

    /// <summary>From now on it is the one of the caller, and of what the caller calls.</summary>
    internal void Begin() => Attempt.Value = this;

    internal bool Keeps(LogLevel level) => level >= lowest && level != LogLevel.None;

    internal void Add(LogLevel level, string category, string message, Exception? exception)
    {
        var line = string.Create(
            CultureInfo.InvariantCulture, $"{time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {Short(level)} {category}: {message}\n");
        var text = exception is null ? line : $"{line}{ErrorText.Of(exception)}\n";
        lock (_lock)
        {
            if (_isEnded)
            {
                return;
            }

            _text ??= new StringBuilder();
            if (_left > 0 || _text.Length + text.Length > MaxLength - RoomForCount)
            {
                _left++;
            }
            else
            {
                _text.Append(text);
            }
        }
    }

    /// <summary>The attempt is over: what a handler that was left behind logs from now on is not kept.</summary>
    /// <returns>The log; null if nothing was logged.</returns>
    internal string? End()
    {
        lock (_lock)
        {
            _isEnded = true;
            return _left == 0
                ? _text?.ToString()
                : string.Create(CultureInfo.InvariantCulture, $"{_text}({_left:N0} more entries were too much to keep)\n");
        }
    }

    private static string Short(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
