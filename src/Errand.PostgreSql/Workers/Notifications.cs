using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Errand.PostgreSql.Workers;

/// <summary>
/// How processes tell each other of new tasks: LISTEN and NOTIFY, each on a connection of its own. Behind a pooler of
/// transactions nothing can listen.
/// </summary>
internal sealed class Notifications(
    PostgresStore store, PostgresBackendOptions options, Sessions sessions, Neighbours neighbours, SchemaWatch schema,
    Results results, ILogger logger, CancellationTokenSource closing) : Part<Turn>, IAsyncDisposable
{
    /// <summary>The payload of the word that callers of a process wait for results.</summary>
    private const string ResultsAwaited = "results";

    /// <summary>How often such word is sent while callers wait.</summary>
    private static readonly TimeSpan AwaitedPause = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Notifications are this far apart at least: each takes a lock of the whole server at its commit.
    /// </summary>
    private static readonly TimeSpan NotifyPause = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a listener hears nothing before it looks whether its connection lives.</summary>
    private static readonly TimeSpan ListenCheck = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ListenPause = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private Task _listening = Task.CompletedTask;
    private Task _notifying = Task.CompletedTask;
    private long _othersAwaitAt; // When others last said that they wait: written by the listener, read by the writer.
    private long _saidAt; // When this process last said so; 0 for never. The writer's.
    private int _says; // 1 when it is to be said: written by the writer, taken by the notifier.
    // The server's process that notifies for us: written by the notifier, read by the listener.
    private volatile int _notifier;

    internal override Moments Hears => Moments.Doubted | Moments.Plan | Moments.Committed;

    private bool OthersAwait => Interlocked.Read(ref _othersAwaitAt) is var at and not 0
        && TimeProvider.System.GetElapsedTime(at) < 2 * AwaitedPause;

    internal override void Doubted(Doubt why)
    {
        if (why != Doubt.Opened || !options.UseNotify)
        {
            return;
        }

        if (_notifying.IsCompleted)
        {
            _notifying = Task.Run(NotifyAsync);
        }

        if (sessions.Current is { IsPooled: false } && _listening.IsCompleted)
        {
            _listening = Task.Run(ListenAsync);
        }
    }

    /// <summary>Callers here wait for results: asks other processes to notify this one when tasks end.</summary>
    internal override void Plan(Agenda agenda)
    {
        if (!options.UseNotify || !results.IsWaitedFor)
        {
            return;
        }

        if (_saidAt == 0 || TimeProvider.System.GetElapsedTime(_saidAt) >= AwaitedPause)
        {
            _saidAt = TimeProvider.System.GetTimestamp();
            Volatile.Write(ref _says, 1);
            _wakes.Writer.TryWrite(true);
        }

        agenda.In(AwaitedPause);
    }

    /// <summary>
    /// After a commit that made tasks ready, or due later, and left them to others; or that ended tasks while callers of
    /// other processes wait for results.
    /// </summary>
    internal override void Committed(Effects effects)
    {
        if (options.UseNotify && (effects.WakesOthers || (effects.Ended.Count > 0 && OthersAwait)))
        {
            _wakes.Writer.TryWrite(true);
        }
    }

    /// <summary>A caller's transaction has committed: look at once, and notify other processes. From any thread.</summary>
    internal void NoteCommit()
    {
        neighbours.Hurry();
        if (options.UseNotify)
        {
            _wakes.Writer.TryWrite(true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _wakes.Writer.TryComplete();
        await closing.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        await _notifying.ConfigureAwait(false);
    }

    // language=postgresql
    private const string NotifySql = "select pg_notify(@channel, @payload)";

    private async Task NotifyAsync()
    {
        NpgsqlConnection? connection = null;
        try
        {
            while (await _wakes.Reader.WaitToReadAsync(closing.Token).ConfigureAwait(false))
            {
                _wakes.Reader.TryRead(out _);
                try
                {
                    connection ??= await store.OpenAsync("notifies", closing.Token).ConfigureAwait(false);
                    _notifier = connection.ProcessID;
                    var command = new NpgsqlCommand(NotifySql, connection)
                    {
                        Parameters =
                        {
                            new("channel", store.Channel),
                            new("payload", Interlocked.Exchange(ref _says, 0) == 1 ? ResultsAwaited : ""),
                        },
                    };
                    await using (command.ConfigureAwait(false))
                    {
                        await command.ExecuteNonQueryAsync(closing.Token).ConfigureAwait(false);
                    }
                }
                catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
                {
                    // A lost hint: polling finds the tasks. The turns report that the server is away.
                    await DisposeAsync(connection).ConfigureAwait(false);
                    connection = null;
                    await Task.Delay(ListenPause, TimeProvider.System, closing.Token).ConfigureAwait(false);
                }

                await Task.Delay(NotifyPause, TimeProvider.System, closing.Token).ConfigureAwait(false);
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
        long? reportedAt = null;
        while (!closing.IsCancellationRequested)
        {
            try
            {
                await ListenOnceAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // The backend is being disposed.
            }
            catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
            {
                neighbours.Listens(false);
                if (reportedAt is not { } at || TimeProvider.System.GetElapsedTime(at) >= Sessions.ReportPause)
                {
                    reportedAt = TimeProvider.System.GetTimestamp();
                    Log.ListenerLost(logger, store.Name, e);
                }

                await Task.Delay(ListenPause * (0.5 + random.NextDouble()), TimeProvider.System, closing.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ListenOnceAsync()
    {
        var connection = await store.OpenAsync("listens", closing.Token).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            connection.Notification += (_, notification) => Hear(notification);
            await ExecuteAsync(connection, $"listen \"{store.Channel}\"").ConfigureAwait(false);
            neighbours.Listens(true);
            neighbours.Hurry(); // What was said until now was not heard.
            while (true)
            {
                if (!await connection.WaitAsync(ListenCheck, closing.Token).ConfigureAwait(false))
                {
                    await ExecuteAsync(connection, "select 1").ConfigureAwait(false);
                }
            }
        }
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        var command = new NpgsqlCommand(sql, connection)
        {
            CommandTimeout = Math.Min((int)ListenCheck.TotalSeconds, store.CommandTimeout),
        };
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(closing.Token).ConfigureAwait(false);
        }
    }

    private void Hear(NpgsqlNotificationEventArgs notification)
    {
        if (options.DropNotifications)
        {
            return;
        }

        if (notification.Payload == Schema.Upgraded)
        {
            schema.Hurry();
        }

        if (notification.PID != _notifier)
        {
            if (notification.Payload == ResultsAwaited)
            {
                Interlocked.Exchange(ref _othersAwaitAt, TimeProvider.System.GetTimestamp());
            }

            neighbours.Hurry(); // It may stand for new tasks as well.
        }
    }

    private static ValueTask DisposeAsync(NpgsqlConnection? connection) => connection?.DisposeAsync() ?? default;
}
