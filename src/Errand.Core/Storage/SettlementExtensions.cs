namespace Errand.Storage;

/// <summary>A method for each <see cref="Settlement"/>. Each returns false if the lease was lost and nothing has changed.</summary>
public static class SettlementExtensions
{
    /// <summary>Ends a task as succeeded.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="result">The result as UTF-8 JSON. Default is empty: none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    public static ValueTask<bool> MarkSuccessAsync(
        this IBackend backend, TaskLease lease, ReadOnlyMemory<byte> result = default, CancellationToken cancellationToken = default) =>
        SettleAsync(
            backend, lease,
            result.IsEmpty ? Settlement.Succeeded.WithoutResult : new Settlement.Succeeded { Result = result }, cancellationToken);

    /// <summary>Ends an attempt as failed: permanently, or until the next attempt.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="error">The error to keep and show.</param>
    /// <param name="retryAfter">How long until the next attempt. Default is null: the task has failed permanently.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    public static ValueTask<bool> MarkFailureAsync(
        this IBackend backend, TaskLease lease, string error, TimeSpan? retryAfter = null,
        CancellationToken cancellationToken = default) =>
        SettleAsync(
            backend, lease,
            retryAfter is { } after
                ? new Settlement.Retried { Error = error, After = after }
                : new Settlement.Failed { Error = error },
            cancellationToken);

    /// <summary>Ends a task as cancelled.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="reason">The exception that the handler threw, if it was not just a cancellation. Default is null: none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    public static ValueTask<bool> MarkCancelledAsync(
        this IBackend backend, TaskLease lease, string? reason = null, CancellationToken cancellationToken = default) =>
        SettleAsync(backend, lease, new Settlement.Cancelled { Reason = reason }, cancellationToken);

    /// <summary>Makes a task wait again. The attempt is not charged.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="delay">How long the task waits.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    public static ValueTask<bool> SnoozeAsync(
        this IBackend backend, TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default) =>
        SettleAsync(backend, lease, new Settlement.Snoozed { Delay = delay }, cancellationToken);

    /// <summary>Puts a task back into its queue unfinished. The attempt is not charged.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="lease">The lease of the attempt.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the lease was lost and nothing has changed.</returns>
    public static ValueTask<bool> ReleaseAsync(
        this IBackend backend, TaskLease lease, CancellationToken cancellationToken = default) =>
        SettleAsync(backend, lease, new Settlement.Released(), cancellationToken);

    private static ValueTask<bool> SettleAsync(
        IBackend backend, TaskLease lease, Settlement settlement, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(backend);
        return backend.SettleAsync(lease, settlement, cancellationToken);
    }
}
