namespace Errand;

/// <summary>What a handler is told about the attempt that it runs.</summary>
public sealed class TaskContext
{
    internal TaskContext(ReservedTask task, CancellationToken cancellationToken)
    {
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
}
