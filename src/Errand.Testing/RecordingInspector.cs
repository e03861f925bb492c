namespace Errand.Testing;

/// <summary>Sees what was committed just before.</summary>
internal sealed class RecordingInspector(IQueueInspector inspector, Func<ValueTask> lookAsync) : IQueueInspector
{
    public async ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).GetOverviewAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<TimeSpan?> GetOldestWaitingAsync(CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).GetOldestWaitingAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).ListAsync(filter, limit, before, cancellationToken).ConfigureAwait(false);

    public async ValueTask<TaskDetails?> FindAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).FindAsync(id, cancellationToken).ConfigureAwait(false);

    public async ValueTask<TaskExplanation> ExplainAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).ExplainAsync(id, cancellationToken).ConfigureAwait(false);

    public async ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).ListWorkersAsync(cancellationToken).ConfigureAwait(false);

    public async ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).RetryAsync(id, cancellationToken).ConfigureAwait(false);

    public async ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).RetryAsync(filter, cancellationToken).ConfigureAwait(false);

    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).CancelAsync(id, cancellationToken).ConfigureAwait(false);

    public async ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await (await SeenAsync().ConfigureAwait(false)).DeleteAsync(id, cancellationToken).ConfigureAwait(false);

    public ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default) =>
        inspector.PauseAsync(queue, cancellationToken);

    public ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default) =>
        inspector.ResumeAsync(queue, cancellationToken);

    private async ValueTask<IQueueInspector> SeenAsync()
    {
        await lookAsync().ConfigureAwait(false);
        return inspector;
    }
}
