using System.Data.Common;
using Errand.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Errand.Sqlite;

/// <summary>
/// Tasks in a SQLite file, or in memory with the path <c>:memory:</c>. Thread-safe; both behave the same, and every
/// contract test runs on both.
/// </summary>
/// <remarks>
/// <para>
/// The file is the application's: Errand keeps its tables, all named <c>errand_…</c>, beside whatever is in it, and the
/// file may be made first by either. Tables that belong to somebody else are never touched.
/// </para>
/// <para>
/// One dedicated thread owns the only connection that writes. Callers leave operations in its inbox; it carries out
/// everything that is there in one transaction (a turn), commits, and only then tells the callers. So a commit is
/// shared by everybody who came in time, and <c>:memory:</c>, whose data lives as long as its connection, is the same
/// to every method.
/// </para>
/// <para>
/// A database in memory lives as long as its backend; two backends on <c>:memory:</c> are two databases. The caller who
/// creates a backend disposes it, after the queues and workers that use it.
/// </para>
/// </remarks>
public sealed partial class SqliteBackend : IBackend, IQueueInspector, IAttemptLogs, ICommitSignal
{
    private readonly ReportQueue _reports = new();
    private readonly SqliteStore _store;
    private readonly Inbox _inbox;
    private readonly Parts _parts;
    private readonly Writer _writer;
    private readonly Readers _readers;
    private readonly Enqueuing _enqueuing;
    private readonly CallersTransactions _transactions;
    private readonly WorkerLife _workers;
    private readonly Overview _overview;
    private readonly TaskLookup _lookup;
    private readonly WorkerList _workerList;
    private readonly Backup _backup;
    private readonly Verification _verification;

    /// <summary>Creates a backend. The file is opened, and created if need be, at the first use.</summary>
    /// <param name="path">The path of a file in a folder that exists, taken as it is, or <c>:memory:</c>.</param>
    /// <param name="options">Durability, retention and the like. Default is null: all defaults.</param>
    /// <param name="logger">Where the backend logs. Default is null: nowhere.</param>
    /// <exception cref="ArgumentException">The path is empty, or is a connection string or URI.</exception>
    /// <exception cref="InvalidOptionsException">The options cannot work; the exception lists every problem.</exception>
    public SqliteBackend(string path, SqliteBackendOptions? options = null, ILogger<SqliteBackend>? logger = null)
    {
        DatabasePath.Check(path);
        options = (options ?? new SqliteBackendOptions()).Validated();
        ILogger log = logger is null ? NullLogger.Instance : new HandedOverLogger(logger, _reports);
        options = options with { TimeProvider = QuietClock.Over(options.TimeProvider, log) };
        var spareIds = new SpareIds();
        _store = new SqliteStore(path, options);
        _inbox = new Inbox();
        _parts = new Parts(_store, options, _inbox, log);
        _writer = new Writer(_store, options, _inbox, _parts.All, _parts.Log, spareIds, _parts.Results, _parts.Reserving, log);
        _readers = new Readers(_store, options, _parts.All, _inbox);
        _enqueuing = new Enqueuing(_parts.Reserving, _store, spareIds);
        _transactions = new CallersTransactions(_store, options, spareIds, _parts.All, _parts.Neighbours, _enqueuing, _inbox);
        _workers = new WorkerLife(
            _store, options, _parts.Incarnations, _parts.Running, _parts.Sweep, _parts.Parking, _parts.Neighbours, log);
        _workerList = new WorkerList(_store, _parts.Incarnations, options.TimeProvider);
        _overview = new Overview(_workerList);
        _lookup = new TaskLookup(_workerList);
        _backup = new Backup(_store, options, _parts.All, _writer, _inbox);
        _verification = new Verification(_store, _parts.All, _inbox);
    }

    /// <summary>The full path of the file, or <c>:memory:</c>.</summary>
    public string Path => _store.Path;

    /// <inheritdoc/>
    /// <exception cref="NotAnErrandDatabaseException">
    /// The file is no database, or has a table <c>errand_meta</c> that is not Errand's; it was not changed.
    /// </exception>
    /// <exception cref="SchemaTooNewException">A newer version of Errand wrote the file; it was not changed.</exception>
    /// <exception cref="BackendException">The path is a directory, lacks its folder, is read-only or damaged.</exception>
    public async ValueTask InitializeAsync(CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(_enqueuing.Initialize(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public T? Control<T>()
        where T : class => this as T;

    /// <inheritdoc/>
    public async ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) =>
        new(await _inbox.SubmitAsync(Enqueuing.NewId(), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(tasks);
        cancellationToken.ThrowIfCancellationRequested();
        var enqueue = _enqueuing.Enqueue(copy);
        return copy.Length == 1 && _writer.TryTakeTurn(enqueue)
            ? await enqueue.Answer.ConfigureAwait(false)
            : await _inbox.SubmitAsync(enqueue, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>Takes a <see cref="SqliteTransaction"/>, as ADO.NET and Entity Framework Core give it.</remarks>
    public ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_writer.IsDisposed, this);
        return _transactions.EnqueueAsync(tasks, transaction, cancellationToken);
    }

    /// <inheritdoc/>
    void ICommitSignal.SignalCommit() => _parts.Neighbours.NoteCommit();

    /// <summary>
    /// Begins a writing transaction on a connection of the caller's, in a turn of the backend's own. A transaction that
    /// the connection begins by itself competes with the backend for the file, and under load may wait for seconds.
    /// </summary>
    /// <param name="connection">An open connection to the backend's file. Nobody else may use it meanwhile.</param>
    /// <returns>The transaction, which holds the file until it is committed or rolled back.</returns>
    /// <exception cref="ArgumentException">The connection is closed.</exception>
    /// <exception cref="BackendBusyException">Another process holds the file.</exception>
    /// <exception cref="InvalidOperationException">The connection has a transaction already; or this is <c>:memory:</c>.</exception>
    public Task<SqliteTransaction> BeginTransactionAsync(SqliteConnection connection) => _transactions.BeginAsync(connection);

    /// <inheritdoc/>
    public async ValueTask<WorkerId> BeginWorkerAsync(WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(worker);
        return new WorkerId(await _inbox.SubmitAsync(
            _workers.Begin(copy), begun => _workers.End(begun, release: true), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(ReserveRequest request, CancellationToken cancellationToken = default) =>
        _parts.Reserving.ReserveAsync(request, cancellationToken);

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(_parts.Cancellation.Cancel(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public bool Heartbeat(WorkerId owner)
    {
        var beat = _workers.Beat(owner.Value);
        _inbox.Submit(beat);
        return beat.Wait();
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReconcileAsync(WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(known);
        return await _inbox.SubmitAsync(_workers.Reconcile(owner.Value, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default)
    {
        Arguments.CheckProgress(fraction, message);
        return await _inbox.SubmitAsync(Progress.Report(lease, fraction, message), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(checkpoint, nameof(checkpoint));
        return await _inbox.SubmitAsync(Progress.SaveCheckpoint(lease, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(Progress.ReadCheckpoint(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> SaveLogAsync(TaskLease lease, string log, CancellationToken cancellationToken = default)
    {
        Arguments.CheckLog(log);
        return await _inbox.SubmitAsync(AttemptLogs.Save(lease, log), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SettleAsync(TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default)
    {
        var copy = Arguments.Copy(settlement);
        return await _inbox.SubmitAsync(_parts.Settling.Settle(lease, copy), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_writer.IsDisposed, this);
        return _transactions.CompleteAsync(lease, result, transaction, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(_parts.Settling.Holds(lease), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(_workers.End(owner.Value, release), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskResult?> GetResultAsync(TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Arguments.CheckWait(timeout, nameof(timeout));
        if (timeout == TimeSpan.Zero)
        {
            return await _readers.ReadAsync(Results.Find(id.Value), cancellationToken).ConfigureAwait(false);
        }

        // A task that has ended is answered although nothing can be written at this moment.
        return (_store.IsHeldUp ? await _readers.ReadAsync(Results.Find(id.Value), cancellationToken).ConfigureAwait(false) : null)
            ?? await _parts.Results.GetAsync(id.Value, timeout, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Carries out what was submitted, ends every wait with <see cref="ObjectDisposedException"/>, and closes the
    /// database; one in memory is gone. Calls from then on throw at once. Idempotent.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await _readers.DisposeAsync().ConfigureAwait(false);
        await _writer.DisposeAsync().ConfigureAwait(false);
        await _reports.FlushAsync().ConfigureAwait(false);
    }
}
