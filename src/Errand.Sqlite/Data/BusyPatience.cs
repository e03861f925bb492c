namespace Errand.Sqlite.Data;

/// <summary>
/// How a writer waits for another: short sleeps of random length. SQLite's own busy_timeout backs off so far that under
/// load one of several writers is starved (docs/decisions/0001-one-connection-behind-one-writer.md).
/// </summary>
internal sealed class BusyPatience(SqliteBackendOptions options, Random random)
{
    private readonly TimeProvider _clock = TimeProvider.System; // A lock is held in real time, whatever the tasks' clock says.
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private int _waits;

    /// <summary>Whether the busy timeout has not passed yet.</summary>
    internal bool IsLeft => _clock.GetElapsedTime(_startedAt) < options.BusyTimeout;

    /// <summary>How long it has taken until now.</summary>
    internal TimeSpan Waited => _clock.GetElapsedTime(_startedAt);

    /// <summary>Waits a little, without holding a thread.</summary>
    internal async ValueTask WaitAsync(CancellationToken cancellationToken) =>
        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1, 4)), _clock, cancellationToken).ConfigureAwait(false);

    /// <summary>Waits a little.</summary>
    /// <returns>False, without waiting, when the busy timeout has passed.</returns>
    internal bool Wait()
    {
        if (!IsLeft)
        {
            return false;
        }

        // The holder is usually done within a commit: first only give way, then sleep for one to three milliseconds.
        if (_waits++ < 4)
        {
            Thread.SpinWait(random.Next(200, 2_000));
        }
        else
        {
            Thread.Sleep(random.Next(1, 4));
        }

        return true;
    }
}
