using System.Data.Common;
using Errand.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>
/// Tasks in a schema of a PostgreSQL database, shared by any number of processes and machines. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// One writer owns the one connection that writes. Callers leave operations in its inbox; it carries out all that is
/// there in one round trip and one transaction (a turn), and then completes the callers, so a commit is shared by every
/// caller that came in time. Heartbeats have a connection of their own, and so have notifications.
/// </para>
/// <para>
/// Every time is the server's: due times, leases and retention do not depend on the clocks of the processes. Dispose a
/// backend after the queues and workers that use it.
/// </para>
/// </remarks>
public sealed partial class PostgresBackend : IBackend, IQueueInspector, IAttemptLogs, ICommitSignal, IServerAddress
{
    private readonly ReportQueue _reports = new();
    private readonly PostgresStore _store;
    private readonly Inbox _inbox = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Parts _parts;

    /// <summary>
    /// Creates a backend. The first use connects to the server, and makes the schema if there is none.
    /// </summary>
    /// <param name="connectionString">
    /// An Npgsql connection string to a server of version 13 or later (tested with 15). Pooling plays no part: a
    /// backend keeps up to four connections of its own, and opens one more now and then.
    /// </param>
    /// <param name="options">Schema, retention and the like. Default is null: every option has its default.</param>
    /// <param name="logger">Where the backend reports. Default is null: nowhere.</param>
    /// <exception cref="ArgumentException">The connection string is empty or cannot be read.</exception>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    public PostgresBackend(
        string connectionString, PostgresBackendOptions? options = null, ILogger<PostgresBackend>? logger = null)
        : this(connectionString, null, options, logger)
    {
    }

    /// <summary>
    /// Creates a backend in the database of a data source, with its password provider and its callbacks: for passwords and
    /// tokens that rotate. Each connection asks for the password when it is opened.
    /// </summary>
    /// <param name="dataSource">
    /// The data source. Its pool plays no part: a backend keeps up to four connections of its own, and opens one more now
    /// and then. The caller disposes it, after the backend.
    /// </param>
    /// <param name="options">Schema, retention and the like. Default is null: every option has its default.</param>
    /// <param name="logger">Where the backend reports. Default is null: nowhere.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    public PostgresBackend(
        NpgsqlDataSource dataSource, PostgresBackendOptions? options = null, ILogger<PostgresBackend>? logger = null)
        : this((dataSource ?? throw new ArgumentNullException(nameof(dataSource))).ConnectionString, dataSource, options, logger)
    {
    }

    private PostgresBackend(
        string connectionString, NpgsqlDataSource? dataSource, PostgresBackendOptions? options, ILogger<PostgresBackend>? logger)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        options = (options ?? new PostgresBackendOptions()).Validated();
        ILogger log = logger is null ? NullLogger.Instance : new HandedOverLogger(logger, _reports);
        options = options with { TimeProvider = QuietClock.Over(options.TimeProvider, log) };
        _store = new PostgresStore(connectionString, dataSource, options);
        _parts = new Parts(_store, options, _inbox, log, _closing);
    }

    /// <summary>The schema that holds the tables.</summary>
    public string Schema => _store.SchemaName;

    /// <inheritdoc/>
    /// <exception cref="NotAnErrandDatabaseException">
    /// The schema holds another program's <c>errand_meta</c>; it was not changed.
    /// </exception>
    /// <exception cref="SchemaTooNewException">
    /// A newer version of Errand wrote the schema; it was not changed.
    /// </exception>
    /// <exception cref="BackendException">The server cannot be reached, or refuses the user.</exception>
    public async ValueTask InitializeAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new InitializeOperation(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public T? Control<T>()
        where T : class => this as T;

    /// <inheritdoc/>
    public async ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) =>
        new(await SubmitAsync(Enqueuing.NewId(), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(tasks);
        if (Bulk.Is(copy))
        {
            cancellationToken.ThrowIfCancellationRequested();
            return await _parts.Bulk.EnqueueAsync(copy).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return await SubmitAsync(_parts.Enqueuing.Enqueue(copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Takes a <see cref="NpgsqlTransaction"/> of any isolation level, as ADO.NET and Entity Framework Core give it.
    /// Enqueueing an id that another open transaction has enqueued waits until that one ends. Workers of other
    /// processes find the tasks by polling, within a second of the commit.
    /// </remarks>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(tasks);
        var own = _parts.Transactions.Own(transaction);
        ObjectDisposedException.ThrowIf(_parts.Writer.IsDisposed, this);
        return await _parts.Transactions.EnqueueAsync(copy, own, cancellationToken).ConfigureAwait(false);
    }

    string? IServerAddress.Address => _store.Address;

    int? IServerAddress.Port => _store.Port;

    /// <inheritdoc/>
    void ICommitSignal.SignalCommit() => _parts.Notifications.NoteCommit();

    /// <inheritdoc/>
    public async ValueTask<WorkerId> BeginWorkerAsync(
        WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(worker);
        return new WorkerId(await _inbox.SubmitAsync(
            _parts.WorkerLife.Begin(copy), begun => _parts.WorkerLife.End(begun, release: true), cancellationToken)
            .ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(request);
        return await _parts.Reserving.ReserveAsync(copy, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(_parts.Cancellation.Cancel(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    /// <remarks>
    /// One synchronous statement on a connection of its own: it needs neither the thread pool nor the turns.
    /// </remarks>
    public bool Heartbeat(WorkerId owner) => _parts.Heartbeats.Beat(owner.Value);

    /// <inheritdoc/>
    public async ValueTask<int> ReconcileAsync(
        WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(known);
        return await SubmitAsync(_parts.WorkerLife.Reconcile(owner.Value, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default)
    {
        Arguments.CheckProgress(fraction, message);
        return await SubmitAsync(_parts.Progress.Report(lease, fraction, message), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(checkpoint, nameof(checkpoint));
        return await SubmitAsync(Progress.SaveCheckpoint(lease, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(
        TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(Progress.ReadCheckpoint(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> SaveLogAsync(TaskLease lease, string log, CancellationToken cancellationToken = default)
    {
        Arguments.CheckLog(log);
        return await SubmitAsync(AttemptLogs.Save(lease, log), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SettleAsync(
        TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(settlement);
        return await SubmitAsync(_parts.Settling.Settle(lease, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction,
        CancellationToken cancellationToken = default)
    {
        var own = _parts.Transactions.Own(transaction);
        ObjectDisposedException.ThrowIf(_parts.Writer.IsDisposed, this);
        return await _parts.Transactions.CompleteAsync(lease, result, own, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        await SubmitAsync(Settling.Holds(lease, _parts.Results), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        await SubmitAsync(_parts.WorkerLife.End(owner.Value, release), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskResult?> GetResultAsync(
        TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        await _parts.Results.GetAsync(id.Value, timeout, cancellationToken).ConfigureAwait(false);

    /// <summary>
    /// Carries out what was submitted, ends every wait with <see cref="ObjectDisposedException"/>, and closes the
    /// connections. Later calls throw at once. Idempotent.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _parts.Heartbeats.Refuse();
        await _parts.Writer.CloseAsync().ConfigureAwait(false);
        _parts.Heartbeats.Dispose();
        await _parts.Looks.DisposeAsync().ConfigureAwait(false);
        await _reports.FlushAsync().ConfigureAwait(false);
    }

    private ValueTask<T> SubmitAsync<T>(Operation<Turn, T> operation, CancellationToken cancellationToken) =>
        _inbox.SubmitAsync(operation, cancellationToken);

    /// <summary>Succeeds when the schema is there.</summary>
    private sealed class InitializeOperation : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override int Rows => 0;

        internal override void Run(Turn turn) => Result = true;
    }
}
