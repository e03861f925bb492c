#pragma warning disable CS1591, MA0025
namespace Errand.PostgreSql;

public sealed partial class PostgresBackend
{
    public ValueTask<CancelOutcome> CancelAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> MarkCancelledAsync(TaskLease lease, string? reason, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> SnoozeAsync(TaskLease lease, TimeSpan delay, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, long? before = null, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public ValueTask<TaskDetails?> FindAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<TaskExplanation> ExplainAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> RetryAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    public ValueTask<bool> DeleteAsync(long id, CancellationToken cancellationToken = default) => throw new NotImplementedException();
}
