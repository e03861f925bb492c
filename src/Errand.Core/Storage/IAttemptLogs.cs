namespace Errand.Storage;

/// <summary>
/// A capability of a store (<see cref="IBackend.Control{T}"/>): it keeps what handlers log, attempt by attempt, with the task. Without it
/// nothing is kept.
/// </summary>
public interface IAttemptLogs
{
    /// <summary>
    /// Stores the log of an attempt, while it runs or after it was settled, in place of what was stored for it before. The logs of the last
    /// <see cref="Defaults.AttemptsKept"/> starts are kept, and removed with the task.
    /// </summary>
    /// <param name="lease">The lease of the attempt. It need not be held any more: a log only says what was.</param>
    /// <param name="log">The text, at most 65,536 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if the task is gone, or was never started under this epoch; nothing has changed then.</returns>
    ValueTask<bool> SaveLogAsync(TaskLease lease, string log, CancellationToken cancellationToken = default);
}
