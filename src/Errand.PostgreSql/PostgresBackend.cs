using System.Threading.Channels;
using Errand.Diagnostics;
using Errand.PostgreSql.Engine;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Errand.PostgreSql;

/// <summary>Tasks in a schema of a PostgreSQL database, shared by any number of processes and machines. Thread-safe.</summary>
/// <remarks>
/// <para>
/// One loop owns the one connection that writes. Callers leave operations in its inbox; it carries out all that is there in one
/// round trip and one transaction (a turn), and then tells the callers. So a commit is shared by everybody who came in time.
/// Heartbeats have a connection of their own, and so have notifications.
/// </para>
/// <para>
/// Every time is the server's: due times, leases and retention do not depend on the clocks of the processes. Whoever makes a
/// backend disposes it, after the queues and workers that use it.
/// </para>
/// </remarks>
public sealed partial class PostgresBackend : IBackend, IQueueInspector
{
    private readonly PostgresStore _store;
    private readonly PostgresBackendOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<Operation> _inbox = Channel.CreateUnbounded<Operation>(new() { SingleReader = true });
    private readonly CancellationTokenSource _closing = new(); // Cancelled once, by dispose: ends waits for a server that is away.
    private readonly Lock _startLock = new();
    private Task? _turns; // Started once, under the lock.
    private Task? _disposal; // Set once, under the lock.

    /// <summary>Creates a backend. The server is connected to, and the schema made if need be, at the first use.</summary>
    /// <param name="connectionString">
    /// As Npgsql takes it, of a server of version 13 or later (tested with 15). Pooling plays no part: a backend keeps up to four connections of its
    /// own, and opens one more now and then.
    /// </param>
    /// <param name="options">Schema, retention and the like. Default is null: every default.</param>
    /// <param name="logger">Where it reports. Default is null: nowhere.</param>
    /// <exception cref="ArgumentException">The connection string is empty or cannot be read.</exception>
    /// <exception cref="InvalidOptionsException">The options cannot work; it lists all that is wrong.</exception>
    public PostgresBackend(
        string connectionString, PostgresBackendOptions? options = null, ILogger<PostgresBackend>? logger = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        _options = (options ?? new PostgresBackendOptions()).Validated();
        _store = new PostgresStore(connectionString, _options);
        _time = _options.TimeProvider;
        _logger = logger is null ? NullLogger.Instance : new QuietLogger(logger);
    }

    /// <summary>The schema that holds the tables.</summary>
    public string Schema => _store.Schema;

    /// <inheritdoc/>
    /// <exception cref="NotAnErrandDatabaseException">The schema holds tables of something else; it was not changed.</exception>
    /// <exception cref="SchemaTooNewException">The schema was written by a newer version; it was not changed.</exception>
    /// <exception cref="BackendException">The server cannot be reached, or refuses the user.</exception>
    public async ValueTask InitializeAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new InitializeOperation(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public T? Control<T>()
        where T : class => this as T;

    /// <summary>
    /// Carries out what was submitted, ends every wait with <see cref="ObjectDisposedException"/>, and closes the connections.
    /// Calls from then on throw at once. Idempotent.
    /// </summary>
    public ValueTask DisposeAsync()
    {
        lock (_startLock)
        {
            _disposal ??= CloseAsync();
        }

        return new ValueTask(_disposal);
    }

    private async Task CloseAsync()
    {
        if (_turns is { } turns)
        {
            _inbox.Writer.TryWrite(new CloseNote(this));
            await _closing.CancelAsync().ConfigureAwait(false);
            await turns.ConfigureAwait(false);
        }

        _inbox.Writer.TryComplete();
        CloseHeartbeat();
    }

    private Task<T> SubmitAsync<T>(Operation<T> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Submit(operation);
        return cancellationToken.CanBeCanceled
            ? operation.Completion.WaitAsync(cancellationToken)
            : operation.Completion;
    }

    private void Submit(Operation operation)
    {
        if (_turns is null)
        {
            StartTurns();
        }

        ObjectDisposedException.ThrowIf(_disposal is not null || !_inbox.Writer.TryWrite(operation), this);
    }

    private void StartTurns()
    {
        lock (_startLock)
        {
            ObjectDisposedException.ThrowIf(_disposal is not null, this);
            _turns ??= Task.Run(TakeTurnsAsync);
        }
    }

    /// <summary>Succeeds when the schema is there.</summary>
    private sealed class InitializeOperation : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int Rows => 0;

        internal override void Run(TurnBatch batch) => Result = true;
    }

    /// <summary>Tells the loop that this turn is its last.</summary>
    private sealed class CloseNote(PostgresBackend backend) : Note
    {
        internal override void Run(TurnBatch batch) => backend._isClosing = true;
    }
}
