namespace Errand.Sqlite;

/// <summary>What operators ask of the store: lists, details, pauses, retries, and the care of the file.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(_overview.Take(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TimeSpan?> GetOldestWaitingAsync(CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(Overview.FindOldest(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskPage> ListAsync(
        TaskFilter? filter = null, int limit = 50, TaskId? before = null, CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(TaskList.List(filter, limit, before), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskDetails?> FindAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(TaskLookup.Find(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskExplanation> ExplainAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(_lookup.Explain(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<WorkerDetails>> ListWorkersAsync(CancellationToken cancellationToken = default) =>
        await _readers.ReadAsync(_workerList.List(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<bool> RetryAsync(TaskId id, CancellationToken cancellationToken = default) =>
        Retries.RetryAsync(_inbox, id.Value, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<long> RetryAsync(TaskFilter filter, CancellationToken cancellationToken = default) =>
        Retries.RetryAsync(_inbox, filter, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(Removal.Delete(id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await _inbox.SubmitAsync(_parts.Pauses.Pause(queue), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await _inbox.SubmitAsync(_parts.Pauses.Resume(queue), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Measures how much room the database takes.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<SqliteStorage> GetStorageAsync(CancellationToken cancellationToken = default) =>
        await _inbox.SubmitAsync(_parts.Vacuum.Measure(), cancellationToken).ConfigureAwait(false);

    /// <summary>
    /// Copies the database to a new file, in one consistent state that holds everything acknowledged before the call,
    /// while enqueuers and workers go on. The copy opens like any other database; what ran at that moment waits in it,
    /// uncharged.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The file appears under its name when it is complete and synced, and is readable for its owner alone from the
    /// beginning; a backup that fails leaves none. A process that is killed while it copies leaves a file that ends in
    /// <c>.part</c>.
    /// </para>
    /// <para>
    /// Of a file, the copy is read by a connection of its own: nobody waits for it, but the write-ahead log cannot be
    /// shortened meanwhile. Of <c>:memory:</c> there is one connection alone, so that everybody waits while its pages
    /// are copied.
    /// </para>
    /// <para>
    /// New ids in the copy begin a billion higher, so that a copy which takes the place of its original does not give
    /// an id again that the original has given since: ids serve as keys elsewhere.
    /// </para>
    /// </remarks>
    /// <param name="path">Where: a path at which nothing is, in a folder that exists. Taken as it is.</param>
    /// <param name="cancellationToken">Ends the copying; no file is left.</param>
    /// <exception cref="ArgumentException">The path is empty, or <c>:memory:</c>.</exception>
    /// <exception cref="BackendException">
    /// Something is at the path already, its folder does not exist, it cannot be written or has no room; or there is no
    /// database yet, or it cannot be read.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The backend is disposed, or was before the copy was complete.</exception>
    public async Task BackupAsync(string path, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_writer.IsDisposed, this);
        await _backup.TakeAsync(path, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Looks whether the database is sound: every page and index of it, and what must be true of tasks, workers and
    /// names. Changes nothing; what is wrong is told, not mended.
    /// </summary>
    /// <remarks>
    /// It reads everything, once or a few times. Of a file, by a connection of its own, in one snapshot, while
    /// everybody goes on. Of
    /// <c>:memory:</c> there is one connection alone: everybody waits meanwhile.
    /// </remarks>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="NotAnErrandDatabaseException">The file is something else.</exception>
    /// <exception cref="SchemaTooNewException">The file was written by a newer version.</exception>
    /// <exception cref="BackendException">There is no file, or it cannot be read. That it is damaged is no error but a problem.</exception>
    /// <exception cref="ObjectDisposedException">The backend is disposed.</exception>
    public async Task<SqliteVerification> VerifyAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_writer.IsDisposed, this);
        return await _verification.RunAsync(cancellationToken).ConfigureAwait(false);
    }
}
