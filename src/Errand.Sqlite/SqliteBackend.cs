using Errand.Diagnostics;
using Errand.Sqlite.Engine;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Errand.Sqlite;

/// <summary>
/// Tasks in a SQLite file, or in memory with the path <c>:memory:</c>. Thread-safe; both behave the same, and every contract test
/// runs on both.
/// </summary>
/// <remarks>
/// <para>
/// One dedicated thread owns the only connection that writes. Callers leave operations in its inbox; it carries out all that
/// is there in one transaction (a turn), commits, and only then tells the callers. So a commit is shared by everybody who came
/// in time, and <c>:memory:</c>, whose data lives as long as its connection, is the same to every method.
/// </para>
/// <para>
/// A database in memory lives as long as its backend; two backends on <c>:memory:</c> are two databases. Whoever makes a backend
/// disposes it, after the queues and workers that use it.
/// </para>
/// </remarks>
public sealed partial class SqliteBackend : IBackend, IQueueInspector
{
    private readonly SqliteStore _store;
    private readonly SqliteBackendOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Inbox _inbox = new();
    private readonly Lock _startLock = new();
    private Thread? _writer; // Started once, under the lock; joined by dispose.
    private Task? _disposal; // Set once, under the lock.

    /// <summary>Creates a backend. The file is opened, and created if need be, at the first use.</summary>
    /// <param name="path">The path of a file in a folder that exists, taken as it is, or <c>:memory:</c>.</param>
    /// <param name="options">Durability, retention and the like. Default is null: every default.</param>
    /// <param name="logger">Where it reports. Default is null: nowhere.</param>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="InvalidOptionsException">The options cannot work; it lists all that is wrong.</exception>
    public SqliteBackend(string path, SqliteBackendOptions? options = null, ILogger<SqliteBackend>? logger = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        _options = (options ?? new SqliteBackendOptions()).Validated();
        _store = new SqliteStore(path, _options);
        _time = _options.TimeProvider;
        _logger = logger is null ? NullLogger.Instance : new QuietLogger(logger);
    }

    /// <summary>The full path of the file, or <c>:memory:</c>.</summary>
    public string Path => _store.Path;

    /// <inheritdoc/>
    /// <exception cref="NotAnErrandDatabaseException">The file is something else; it was not changed.</exception>
    /// <exception cref="SchemaTooNewException">The file was written by a newer version; it was not changed.</exception>
    /// <exception cref="BackendException">The path is a directory, lacks its folder, is read-only or damaged.</exception>
    public async ValueTask InitializeAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new InitializeOperation(this), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public T? Control<T>()
        where T : class => this as T;

    /// <summary>Measures how much room the database takes.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<SqliteStorage> GetStorageAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new StorageOperation(this), cancellationToken).ConfigureAwait(false);

    /// <summary>
    /// Carries out what was submitted, ends every wait with <see cref="ObjectDisposedException"/>, and closes the database; one in
    /// memory is gone. Calls from then on throw at once. Idempotent.
    /// </summary>
    public ValueTask DisposeAsync()
    {
        lock (_startLock)
        {
            _disposal ??= CloseAsync();
        }

        return new ValueTask(_disposal);
    }

    private Task CloseAsync()
    {
        if (_writer is not { } writer)
        {
            _inbox.Close([]);
            return Task.CompletedTask;
        }

        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _inbox.TryAdd(new CloseOperation(this, closed));
        return JoinAsync();

        async Task JoinAsync()
        {
            await closed.Task.ConfigureAwait(false);
            writer.Join(); // The thread has said its last word already: this waits for its stack to be gone.
        }
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
        if (_writer is null)
        {
            StartWriter();
        }

        ObjectDisposedException.ThrowIf(!_inbox.TryAdd(operation), this);
    }

    private void StartWriter()
    {
        lock (_startLock)
        {
            ObjectDisposedException.ThrowIf(_disposal is not null, this);
            if (_writer is null)
            {
                var writer = new Thread(Write) { IsBackground = true, Name = "errand-sqlite" };
                writer.UnsafeStart();
                _writer = writer;
            }
        }
    }

    /// <summary>Succeeds when the database is open, and ids are at hand, which every turn sees to first.</summary>
    private sealed class InitializeOperation(SqliteBackend backend) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int SpareIds => !backend._store.IsMemory && backend._spareIds.AreLow ? TaskIds.BlockSize : 0;

        internal override void Run() => Result = true;
    }

    /// <summary>Tells the writer that this turn is its last.</summary>
    private sealed class CloseOperation(SqliteBackend backend, TaskCompletionSource closed) : Operation
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => backend._closed = closed;

        internal override void Complete()
        {
        }

        // The database could not be opened: there is nothing else to close.
        internal override void Fail(Exception exception) => backend._closed = closed;
    }

    private sealed class StorageOperation(SqliteBackend backend) : Operation<SqliteStorage>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.MeasureStorage();
    }
}
