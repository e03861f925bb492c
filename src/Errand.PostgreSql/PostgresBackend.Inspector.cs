namespace Errand.PostgreSql;

/// <summary>What people see and change: reads are of one snapshot, and changes are operations like any other.</summary>
public sealed partial class PostgresBackend
{
    /// <inheritdoc/>
    public async ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default) =>
        await LookAsync(_parts.Overview.TakeAsync, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TimeSpan?> GetOldestWaitingAsync(CancellationToken cancellationToken = default) =>
        await LookAsync(_parts.Overview.MeasureOldestAsync, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default)
    {
        PageQuery.CheckLimit(limit);
        filter = (filter ?? new TaskFilter()).Validated();
        return await LookAsync(
            snapshot => TaskList.ListAsync(snapshot, filter, limit, before?.Value ?? long.MaxValue), cancellationToken)
                .ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<TaskDetails?> FindAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await LookAsync(snapshot => TaskLookup.FindAsync(snapshot, id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskExplanation> ExplainAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await LookAsync(snapshot => _parts.TaskLookup.ExplainAsync(snapshot, id.Value), cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(
        CancellationToken cancellationToken = default) =>
        await LookAsync(_parts.WorkerList.ListAsync, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default)
    {
        var (count, isThere) = await SubmitAsync(_parts.Retries.Retry([id.Value]), cancellationToken).ConfigureAwait(false);
        return isThere ? count > 0 : throw new TaskNotFoundException(id);
    }

    /// <inheritdoc/>
    public ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default) =>
        FailedPage.RetryAllAsync(
            filter,
            page => LookAsync(snapshot => Retries.ListFailedAsync(snapshot, filter, page), CancellationToken.None),
            async ids =>
                (await SubmitAsync(_parts.Retries.Retry(ids), CancellationToken.None).ConfigureAwait(false)).Count,
            cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(Removal.Delete(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(_parts.Pauses.Pause(queue), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(_parts.Pauses.Resume(queue), cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> LookAsync<T>(Func<Snapshot, Task<T>> read, CancellationToken cancellationToken)
    {
        await InitializeAsync(cancellationToken).ConfigureAwait(false);
        return await _parts.Looks.TakeAsync(read, cancellationToken).ConfigureAwait(false);
    }
}
