namespace Errand.Sqlite.Engine;

/// <summary>
/// How a writer waits for another: short sleeps of random length. SQLite's own busy_timeout backs off so far that under load one
/// of several writers is starved (docs/decisions/0001-one-connection-behind-one-writer.md).
/// </summary>
internal sealed class BusyPatience(SqliteBackendOptions options)
{
    private readonly Random _random = options.Random;
    private readonly TimeProvider _clock = TimeProvider.System; // A lock is held in real time, whatever the tasks' clock says.
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private int _waits;

    /// <summary>Waits a little.</summary>
    /// <returns>False, without waiting, when the busy timeout has passed.</returns>
    internal bool Wait()
    {
        if (_clock.GetElapsedTime(_startedAt) >= options.BusyTimeout)
        {
            return false;
        }

        // The holder is usually done within a commit: first only give way, then sleep for one to three milliseconds.
        if (_waits++ < 4)
        {
            Thread.SpinWait(_random.Next(200, 2_000));
        }
        else
        {
            Thread.Sleep(_random.Next(1, 4));
        }

        return true;
    }
}
