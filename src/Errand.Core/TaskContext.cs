using System.Data.Common;
using Errand.Payloads;

namespace Errand;

/// <summary>What a handler is told about the attempt that it runs, and how it settles the task in a transaction of its own.</summary>
public sealed class TaskContext
{
    private readonly IBackend _backend;
    private readonly PayloadSerializer _serializer;
    private readonly TaskLease _lease;

    internal TaskContext(ReservedTask task, IBackend backend, PayloadSerializer serializer, CancellationToken cancellationToken)
    {
        _backend = backend;
        _serializer = serializer;
        _lease = task.Lease;
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

    /// <summary>The task's id: the same on every attempt, so that it can serve as an idempotency key.</summary>
    public long Id { get; }

    /// <summary>The stored name of the task.</summary>
    public string Name { get; }

    /// <summary>The queue it was in.</summary>
    public string Queue { get; }

    /// <summary>This attempt, from 1.</summary>
    public int Attempt { get; }

    /// <summary>How many attempts the task has in all.</summary>
    public int MaxAttempts { get; }

    /// <summary>
    /// The number of this start. <see cref="Id"/> and epoch together name one run of the handler: the epoch rises at every
    /// start, also at those that are not charged as an attempt.
    /// </summary>
    public long Epoch { get; }

    /// <summary>When the task was enqueued, by the backend's clock.</summary>
    public DateTimeOffset EnqueuedAt { get; }

    /// <summary>When the task was due, by the backend's clock.</summary>
    public DateTimeOffset DueAt { get; }

    /// <summary>
    /// Cancelled when the attempt's timeout passes, its lease is lost, or its worker stops and has waited long enough. A
    /// handler that ignores it keeps its slot until it returns.
    /// </summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Whether the handler has asked for its task to be settled in a transaction of its own.</summary>
    internal bool IsCompletedByHandler { get; private set; }

    /// <summary>
    /// Ends the task as succeeded, without a result, in a transaction of the handler's on the backend's own database: what the
    /// handler wrote in it and the end of the task are committed together or not at all, exactly once. Commit it after this,
    /// and return; a handler whose transaction did not commit has failed its attempt.
    /// </summary>
    /// <param name="transaction">As for <see cref="EnqueueOptions.Transaction"/>. Begin it late and commit it soon.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="LeaseLostException">The task is somebody else's by now: roll the transaction back.</exception>
    /// <exception cref="ArgumentException">The transaction is not of this database, or has ended.</exception>
    /// <exception cref="InvalidOperationException">The store cannot take part in it.</exception>
    /// <exception cref="BackendException">The store could not do it.</exception>
    public Task CompleteInAsync(DbTransaction transaction, CancellationToken cancellationToken = default) =>
        CompleteAsync(transaction, default, cancellationToken);

    /// <summary>
    /// Ends the task as succeeded with its result in a transaction of the handler's. What the handler returns after that is not
    /// looked at.
    /// </summary>
    /// <typeparam name="TResult">The result of the task.</typeparam>
    /// <param name="transaction">See <see cref="CompleteInAsync(DbTransaction, CancellationToken)"/>.</param>
    /// <param name="result">The result, stored as JSON.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <inheritdoc cref="CompleteInAsync(DbTransaction, CancellationToken)"/>
    public Task CompleteInAsync<TResult>(
        DbTransaction transaction, TResult result, CancellationToken cancellationToken = default) =>
        CompleteAsync(transaction, _serializer.SerializeResult(result, typeof(TResult)), cancellationToken);

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
