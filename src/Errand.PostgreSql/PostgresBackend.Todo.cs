#pragma warning disable CS1591, MA0025
namespace Errand.PostgreSql;

public sealed partial class PostgresBackend
{
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
