using Microsoft.Extensions.Logging;

namespace Errand.Diagnostics;

/// <summary>
/// The user's clock. Where it throws, time stands still and timers run on the system's clock: no loop may end or spin because of it.
/// The first exception is logged.
/// </summary>
internal sealed class QuietClock : TimeProvider
{
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly long _frequency;
    private long _timestamp; // The last that the clock gave, as the next. Any thread.
    private long _utcTicks;
    private int _hasFailed; // Set by the first thread that meets an exception.

    private QuietClock(TimeProvider clock, ILogger logger)
    {
        _clock = clock;
        _logger = logger;
        _frequency = System.TimestampFrequency;
        _utcTicks = System.GetUtcNow().Ticks;
        try
        {
            _frequency = clock.TimestampFrequency;
        }
        catch (Exception e)
        {
            Note(e);
        }
    }

    public override long TimestampFrequency => _frequency;

    /// <summary>The system's clock does not throw, and is asked directly.</summary>
    internal static TimeProvider Over(TimeProvider clock, ILogger logger) =>
        clock == System || clock is QuietClock ? clock : new QuietClock(clock, logger);

    public override long GetTimestamp()
    {
        try
        {
            var now = _clock.GetTimestamp();
            Volatile.Write(ref _timestamp, now);
            return now;
        }
        catch (Exception e)
        {
            Note(e);
            return Volatile.Read(ref _timestamp);
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        try
        {
            var now = _clock.GetUtcNow();
            Volatile.Write(ref _utcTicks, now.UtcTicks);
            return now;
        }
        catch (Exception e)
        {
            Note(e);
            return new DateTimeOffset(Volatile.Read(ref _utcTicks), TimeSpan.Zero);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        try
        {
            return new QuietTimer(_clock.CreateTimer(callback, state, dueTime, period));
        }
        catch (Exception e)
        {
            Note(e);
            return System.CreateTimer(callback, state, dueTime, period);
        }
    }

    private void Note(Exception exception)
    {
        if (Interlocked.Exchange(ref _hasFailed, 1) == 0)
        {
            Log.ClockFailed(_logger, _clock.GetType().FullName ?? _clock.GetType().Name, exception);
        }
    }

    private sealed class QuietTimer(ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            try
            {
                return timer.Change(dueTime, period);
            }
            catch (Exception)
            {
                return false; // As a timer that was disposed.
            }
        }

        public void Dispose() => Quietly.Run(timer, static timer => timer.Dispose());

        public async ValueTask DisposeAsync()
        {
            try
            {
                await timer.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // There is nothing left to do with it.
            }
        }
    }
}
