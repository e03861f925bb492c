using System.Threading.Channels;
using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>
/// Other processes on the same store: how their work is noticed, and how they are told of ours. Notifications are a hint and no
/// more: polling finds everything without them.
/// </summary>
public sealed partial class PostgresBackend
{
    /// <summary>The first wait between two looks after word that something comes soon; it doubles.</summary>
    private static readonly TimeSpan SoonPoll = TimeSpan.FromMilliseconds(10);

    /// <summary>The first wait between two looks where nobody tells; it doubles.</summary>
    private static readonly TimeSpan UntoldPoll = TimeSpan.FromMilliseconds(250);

    /// <summary>Notifications are this far apart at least: each takes a lock of the whole server at its commit.</summary>
    private static readonly TimeSpan NotifyPause = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a listener hears nothing before it looks whether its connection lives.</summary>
    private static readonly TimeSpan ListenCheck = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ListenPause = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private TimeSpan _pollInterval = Defaults.PollInterval; // Doubles up to that.
    private long _lastPoll;
    private bool _wakeOwed; // This turn makes or schedules tasks that others do not know of.
    private Task _listening = Task.CompletedTask;
    private Task _notifying = Task.CompletedTask;
    private volatile bool _isListening; // Written by the listener, read by the loop.
    private volatile int _notifier; // The server's process that notifies for us: written by the notifier, read by the listener.

    /// <summary>Looks at everything: slower and slower while there is nothing, and once a second where others tell.</summary>
    private void Poll()
    {
        _lastPoll = _time.GetTimestamp();
        _readyVersion++;
        _nextDue = 0;
        _nextExpiry = 0;
        _floorVersion++;
        _waitersMayBeDone = true;
        _cancelsMayBeThere = true;
        var next = _pollInterval == TimeSpan.Zero ? _isListening ? Defaults.PollInterval : UntoldPoll : _pollInterval * 2;
        _pollInterval = next < Defaults.PollInterval ? next : Defaults.PollInterval;
    }

    /// <summary>In a turn: tasks become ready by what this backend does, for its own workers and for others.</summary>
    private void NoteReady()
    {
        _readyVersion++;
        _wakeOwed = true;
    }

    /// <summary>After a commit of ours that made tasks ready, or due later, and left them to whoever comes.</summary>
    private void WakeStrangers()
    {
        if (_wakeOwed && _options.UseNotify)
        {
            _wakes.Writer.TryWrite(true);
        }

        _wakeOwed = false;
    }

    private void StartStrangers()
    {
        if (_options.UseNotify && _notifying.IsCompleted)
        {
            _notifying = Task.Run(NotifyAsync);
        }

        if (_options.UseNotify && !_isPooled && _listening.IsCompleted)
        {
            _listening = Task.Run(ListenAsync);
        }
    }

    private async Task CloseStrangersAsync()
    {
        _wakes.Writer.TryComplete();
        await _closing.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        await _notifying.ConfigureAwait(false);
    }

    // language=postgresql
    private const string NotifySql = "select pg_notify(@channel, '')";

    private async Task NotifyAsync()
    {
        NpgsqlConnection? connection = null;
        try
        {
            while (await _wakes.Reader.WaitToReadAsync(_closing.Token).ConfigureAwait(false))
            {
                _wakes.Reader.TryRead(out _);
                try
                {
                    connection ??= await _store.OpenAsync("notifies", _closing.Token).ConfigureAwait(false);
                    _notifier = connection.ProcessID;
                    var command = new NpgsqlCommand(NotifySql, connection) { Parameters = { new("channel", _store.Channel) } };
                    await using (command.ConfigureAwait(false))
                    {
                        await command.ExecuteNonQueryAsync(_closing.Token).ConfigureAwait(false);
                    }
                }
                catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
                {
                    // A hint that is lost: polling serves. The turns report that the server is away.
                    await DisposeAsync(connection).ConfigureAwait(false);
                    connection = null;
                    await Task.Delay(ListenPause, TimeProvider.System, _closing.Token).ConfigureAwait(false);
                }

                await Task.Delay(NotifyPause, TimeProvider.System, _closing.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The backend is being disposed.
        }
        finally
        {
            await DisposeAsync(connection).ConfigureAwait(false);
        }
    }

    private async Task ListenAsync()
    {
        var random = new Random();
        var isReported = false;
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                var connection = await _store.OpenAsync("listens", _closing.Token).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    connection.Notification += (_, notification) => Hear(notification.PID);
                    await ExecuteAsync(connection, $"listen \"{_store.Channel}\"").ConfigureAwait(false);
                    _isListening = true;
                    isReported = false;
                    _inbox.Writer.TryWrite(new PollNote(this, isSoon: false)); // What was said until now was not heard.
                    while (true)
                    {
                        if (!await connection.WaitAsync(ListenCheck, _closing.Token).ConfigureAwait(false))
                        {
                            await ExecuteAsync(connection, "select 1").ConfigureAwait(false);
                        }
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // The backend is being disposed.
            }
            catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
            {
                _isListening = false;
                if (!isReported)
                {
                    isReported = true;
                    Log.ListenerLost(_logger, _store.Name, e);
                }

                await Task.Delay(ListenPause * (0.5 + random.NextDouble()), TimeProvider.System, _closing.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        async Task ExecuteAsync(NpgsqlConnection connection, string sql)
        {
            var command = new NpgsqlCommand(sql, connection) { CommandTimeout = HeartbeatTimeout };
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(_closing.Token).ConfigureAwait(false);
            }
        }
    }

    private void Hear(int process)
    {
        if (process != _notifier && !_options.DropNotifications)
        {
            _inbox.Writer.TryWrite(new PollNote(this, isSoon: false));
        }
    }

    private static ValueTask DisposeAsync(NpgsqlConnection? connection) => connection?.DisposeAsync() ?? default;

    /// <summary>Word that there is something, or that it comes soon: look at once, or for a while more often.</summary>
    private sealed class PollNote(PostgresBackend backend, bool isSoon) : Note
    {
        internal override int Rows => 0;

        internal override void Run(TurnBatch batch)
        {
            if (isSoon)
            {
                backend._pollInterval = SoonPoll;
                backend._lastPoll = backend._time.GetTimestamp();
            }
            else
            {
                backend._pollInterval = TimeSpan.Zero;
            }
        }
    }
}
