using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql.Engine;

/// <summary>
/// The session of the turns: opened when there is none, replaced when its connection is lost. The writer's alone.
/// </summary>
internal sealed class Sessions(
    PostgresStore store, PostgresBackendOptions options, ILogger logger, CancellationToken closing)
{
    /// <summary>How often something whose answer was lost is tried again.</summary>
    internal const int Redos = 3;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Failures are reported this far apart at least: a server may end idle connections every few seconds.
    /// </summary>
    internal static readonly TimeSpan ReportPause = TimeSpan.FromMinutes(1);

    private Action<Session>? _opened; // Set once, before the first session.
    private Session? _previous; // The last that was opened.
    private long? _reportedAt; // When a failure was last reported, on the monotonic clock.
    private long? _awaySince; // When the server was first found away, on the monotonic clock.

    internal Session? Current { get; private set; }

    /// <summary>Whether the server was away when it was last asked for.</summary>
    internal bool IsAway => _awaySince is not null;

    /// <summary>Names what is called after each opening.</summary>
    internal void OnOpened(Action<Session> opened) => _opened = opened;

    /// <summary>
    /// Opens a session if there is none, and waits for a server that is away. One that stays away for longer than that
    /// is asked once in each turn, and turns are a pause apart.
    /// </summary>
    internal async ValueTask<Session> OpenAsync()
    {
        var pause = ShortestPause;
        while (Current is null)
        {
            try
            {
                Current = await store.OpenForTurnsAsync(_previous, CancellationToken.None).ConfigureAwait(false);
                _previous = Current;
            }
            catch (BackendException e)
            {
                _awaySince ??= TimeProvider.System.GetTimestamp();
                var isPatient = TimeProvider.System.GetElapsedTime(_awaySince.Value) < options.BusyTimeout;
                if (!e.IsTransient || !isPatient || closing.IsCancellationRequested)
                {
                    throw;
                }
            }

            if (Current is not null)
            {
                NoteOpened(Current);
                break;
            }

            await Task.Delay(pause * (0.5 + options.Random.NextDouble()), TimeProvider.System, closing)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }

        return Current;
    }

    private void NoteOpened(Session session)
    {
        if (_awaySince is { } since)
        {
            Log.ConnectionRestored(logger, store.Name, TimeProvider.System.GetElapsedTime(since));
            _awaySince = null;
        }

        _opened?.Invoke(session);
    }

    /// <summary>Drops the session if the failure has cost its connection: the next use opens another.</summary>
    /// <returns>Whether nobody knows what became of what was sent.</returns>
    internal async ValueTask<bool> NoteFailureAsync(Exception exception)
    {
        var isLost = exception is not BackendException e || PostgresErrors.LostConnection(e);
        if (isLost && Current is not null)
        {
            if (_reportedAt is not { } at || TimeProvider.System.GetElapsedTime(at) >= ReportPause)
            {
                _reportedAt = TimeProvider.System.GetTimestamp();
                Log.ConnectionReplaced(logger, store.Name, exception);
            }

            await CloseAsync().ConfigureAwait(false);
        }

        return isLost;
    }

    internal async ValueTask CloseAsync()
    {
        if (Current is { } session)
        {
            Current = null;
            await session.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Runs statements that can be run again at will, in a transaction of their own.</summary>
    internal async Task RunAloneAsync(Action<Session, TurnBatch> add)
    {
        for (var redos = 0; ; redos++)
        {
            try
            {
                var session = await OpenAsync().ConfigureAwait(false);
                var batch = new TurnBatch(session.Connection, store);
                await using (batch.ConfigureAwait(false))
                {
                    add(session, batch);
                    await batch.RunAsync().ConfigureAwait(false);
                }

                return;
            }
            catch (BackendException e)
                when (redos < Redos && (PostgresErrors.IsConflict(e) || PostgresErrors.IsHeldUp(e)))
            {
                // Others change the same rows; they are quick.
            }
            catch (BackendException e) when (Current is not null && PostgresErrors.LostConnection(e))
            {
                await NoteFailureAsync(e).ConfigureAwait(false);
                if (redos >= Redos)
                {
                    throw;
                }
            }
        }
    }
}
