using System.Data.Common;
using Errand.Payloads;
using Errand.Running;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>The attempt that a handler runs, and how the handler reports progress and completes the task in its own transaction.</summary>
public sealed class TaskContext
{
    private readonly IBackend _backend;
    private readonly PayloadSerializer _serializer;
    private readonly TaskLease _lease;
    private readonly ReservedTask _task;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private IReadOnlyDictionary<string, string>? _headers; // Made when they are first asked for.
    private bool _hasSaved; // A checkpoint, in this attempt.
    private ProgressReports? _reports; // Made by whichever thread of the handler reports first.

    internal TaskContext(
        ReservedTask task, ITaskPayload? payload, IBackend backend, PayloadSerializer serializer, TimeProvider time, ILogger logger,
        CancellationToken cancellationToken)
    {
        Payload = payload;
        _backend = backend;
        _serializer = serializer;
        _lease = task.Lease;
        _task = task;
        _time = time;
        _logger = logger;
        Id = task.Lease.Id;
        Name = task.Name;
        Queue = task.Queue;
        Attempt = task.Attempt;
        MaxAttempts = task.Retry.MaxAttempts;
        Epoch = task.Lease.Epoch;
        EnqueuedAt = task.EnqueuedAt;
        DueAt = task.DueAt;
        CancellationToken = cancellationToken;
    }

    /// <summary>The task's id: the same for every attempt, so that it can serve as an idempotency key.</summary>
    public TaskId Id { get; }

    /// <summary>The stored name of the task.</summary>
    public string Name { get; }

    /// <summary>The queue it was in.</summary>
    public string Queue { get; }

    /// <summary>The payload, for code that serves several types. Null where it could not be read, which only failure handlers see.</summary>
    public ITaskPayload? Payload { get; }

    /// <summary>
    /// The services of the attempt's scope, which the handler, its middleware and failure handlers share, and which ends after them. Null
    /// outside a host.
    /// </summary>
    public IServiceProvider? Services { get; private set; }

    /// <summary>The number of this attempt, from 1.</summary>
    public int Attempt { get; }

    /// <summary>How many attempts the task has in all.</summary>
    public int MaxAttempts { get; }

    /// <summary>
    /// The number of this start. <see cref="Id"/> and epoch together identify one run of the handler: the epoch rises at every start,
    /// even if the start is not charged as an attempt.
    /// </summary>
    public long Epoch { get; }

    /// <summary>The headers that the task was enqueued with (<see cref="EnqueueOptions.Headers"/>); empty for none.</summary>
    public IReadOnlyDictionary<string, string> Headers => _headers ??= TaskHeaders.Read(_task.Headers);

    /// <summary>When the task was enqueued, by the backend's clock.</summary>
    public DateTimeOffset EnqueuedAt { get; }

    /// <summary>When the task was due, by the backend's clock.</summary>
    public DateTimeOffset DueAt { get; }

    /// <summary>
    /// Cancelled when the attempt's timeout passes, somebody cancels the task, its lease is lost, or its worker has stopped and the
    /// grace has passed. A handler that ignores it keeps its slot until it returns, and is reported as stuck.
    /// </summary>
    public CancellationToken CancellationToken { get; }

    internal ILogger Logger => _logger;

    /// <summary>Whether the handler has completed its task in its own transaction, which may not have committed.</summary>
    internal bool IsCompletedByHandler { get; private set; }

    /// <summary>
    /// Ends the task as succeeded, without a result, in the handler's own transaction on the backend's database. The handler's writes
    /// and the end of the task commit together or not at all, exactly once. Commit the transaction after this call, then return. If
    /// it does not commit, the attempt has failed.
    /// </summary>
    /// <param name="transaction">See <see cref="EnqueueOptions.Transaction"/>. Begin it late and commit it soon.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="LeaseLostException">The task no longer belongs to this handler. Roll the transaction back.</exception>
    /// <exception cref="ArgumentException">The transaction is on another database, or has ended.</exception>
    /// <exception cref="InvalidOperationException">The store cannot take part in it.</exception>
    /// <exception cref="BackendException">The store could not complete the call.</exception>
    public Task CompleteInAsync(DbTransaction transaction, CancellationToken cancellationToken = default) =>
        CompleteAsync(transaction, default, cancellationToken);

    /// <summary>
    /// Ends the task as succeeded, with a result, in the handler's own transaction. The return value of the handler is then ignored.
    /// </summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <param name="transaction">See <see cref="CompleteInAsync(DbTransaction, CancellationToken)"/>.</param>
    /// <param name="result">The result, stored as JSON.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <inheritdoc cref="CompleteInAsync(DbTransaction, CancellationToken)"/>
    public Task CompleteInAsync<TResult>(
        DbTransaction transaction, TResult result, CancellationToken cancellationToken = default) =>
        CompleteAsync(transaction, _serializer.SerializeResult(result, typeof(TResult)), cancellationToken);

    /// <summary>
    /// Reports progress without waiting. At most one report per second is stored; the last one is stored when the handler returns.
    /// A report that cannot be stored is dropped. The task keeps the last report across attempts.
    /// </summary>
    /// <param name="fraction">From 0 to 1.</param>
    /// <param name="message">A text for people, cut after 1,024 characters. Default is null: none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The fraction is not from 0 to 1.</exception>
    public void ReportProgress(double fraction, string? message = null)
    {
        if (!(fraction is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(fraction), fraction, "Progress goes from 0 to 1; give percents divided by 100.");
        }

        Reports.Report(fraction, message is null ? null : Shown(message));
    }

    /// <summary>
    /// Stores data from which a later attempt of this task can continue, replacing what was stored before. When this returns, the data
    /// is committed. It is removed with the task.
    /// </summary>
    /// <typeparam name="T">The type of the data.</typeparam>
    /// <param name="data">The data, stored as JSON of at most 64 KiB.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LeaseLostException">The task no longer belongs to this handler. Stop.</exception>
    /// <exception cref="ArgumentException">The data is too large or cannot be written as JSON.</exception>
    /// <exception cref="BackendException">The store could not complete the call.</exception>
    public async Task SaveCheckpointAsync<T>(T data, CancellationToken cancellationToken = default)
    {
        var json = _serializer.SerializeCheckpoint(data, typeof(T));
        if (!await _backend.SaveCheckpointAsync(_lease, json, cancellationToken).ConfigureAwait(false))
        {
            throw new LeaseLostException(Id, Epoch);
        }

        _hasSaved = true;
    }

    /// <summary>Reads the data that an attempt of this task stored last. On the first start this costs nothing.</summary>
    /// <typeparam name="T">The type of the data.</typeparam>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The data; the default of the type if there is none.</returns>
    /// <exception cref="System.Text.Json.JsonException">The stored data is not a <typeparamref name="T"/>.</exception>
    /// <exception cref="BackendException">The store could not complete the call.</exception>
    public async Task<T?> GetCheckpointAsync<T>(CancellationToken cancellationToken = default)
    {
        var json = Epoch == 1 && !_hasSaved
            ? default
            : await _backend.ReadCheckpointAsync(Id, cancellationToken).ConfigureAwait(false);
        return json.IsEmpty ? default : (T?)_serializer.Deserialize(json.Span, typeof(T));
    }

    /// <summary>What runs next has these services.</summary>
    internal void Enter(IServiceProvider? services) => Services = services;

    /// <summary>The handler has returned.</summary>
    internal ValueTask EndAsync() => Volatile.Read(ref _reports)?.DisposeAsync() ?? ValueTask.CompletedTask;

    private ProgressReports Reports
    {
        get
        {
            if (Volatile.Read(ref _reports) is { } reports)
            {
                return reports;
            }

            var made = new ProgressReports(_backend, _task, _time, _logger);
            return Interlocked.CompareExchange(ref _reports, made, null) ?? made;
        }
    }

    /// <summary>As every store can hold it.</summary>
    private static string Shown(string message)
    {
        const int MaxLength = 1_024;
        var text = message.Length <= MaxLength ? message : string.Concat(message.AsSpan(0, MaxLength - 1), "…");
        return text.Replace('\0', '\uFFFD');
    }

    private async Task CompleteAsync(DbTransaction transaction, ReadOnlyMemory<byte> result, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (!await _backend.CompleteInAsync(_lease, result, transaction, cancellationToken).ConfigureAwait(false))
        {
            throw new LeaseLostException(Id, Epoch);
        }

        IsCompletedByHandler = true;
    }
}
