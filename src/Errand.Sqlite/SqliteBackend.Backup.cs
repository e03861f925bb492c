using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Backup: a copy of one moment, made while everybody goes on, in which nothing runs.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>Pages that are copied before it is asked whether to go on: 4 MiB.</summary>
    private const int PagesAtATime = 1_024;

    /// <summary>By how much the ids of a copy begin higher than those of its original.</summary>
    private const long IdsSkipped = 1_000_000_000;

    /// <summary>
    /// Copies the database to a new file, in one consistent state that holds everything acknowledged before the call, while
    /// enqueuers and workers go on. The copy opens like any other database; what ran at that moment waits in it, uncharged.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The file appears under its name when it is complete and synced, and is readable for its owner alone from the beginning; a
    /// backup that fails leaves none. A process that is killed while it copies leaves a file that ends in <c>.part</c>.
    /// </para>
    /// <para>
    /// Of a file, the copy is read by a connection of its own: nobody waits for it, but the write-ahead log cannot be shortened
    /// meanwhile. Of <c>:memory:</c> there is one connection alone, so that everybody waits while its pages are copied.
    /// </para>
    /// <para>
    /// New ids in the copy begin a billion higher, so that a copy which takes the place of its original does not give an id again that
    /// the original has given since: ids serve as keys elsewhere.
    /// </para>
    /// </remarks>
    /// <param name="path">Where: a path at which nothing is, in a folder that exists. Taken as it is.</param>
    /// <param name="cancellationToken">Ends the copying; no file is left.</param>
    /// <exception cref="ArgumentException">The path is empty, or <c>:memory:</c>.</exception>
    /// <exception cref="BackendException">
    /// Something is at the path already, its folder does not exist, it cannot be written or has no room; or there is no database yet, or
    /// it cannot be read.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The backend is disposed, or was before the copy was complete.</exception>
    public async Task BackupAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (path == ":memory:")
        {
            throw new ArgumentException("A backup is a file; give a path.", nameof(path));
        }

        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        cancellationToken.ThrowIfCancellationRequested();
        using var file = BackupFile.Create(path, _store.Name);
        using (var copy = SqliteDatabase.Open(file.TemporaryPath, file.Name, _options.Vfs))
        {
            await CopyAsync(copy, cancellationToken).ConfigureAwait(false);
            await Apart(() => PutToRest(copy), cancellationToken).ConfigureAwait(false);
        }

        await Apart(file.Keep, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(SqliteDatabase copy, CancellationToken cancellationToken)
    {
        if (_store.IsMemory)
        {
            // Without a token: a wait that is given up would close the copy under the writer's hands.
            await SubmitAsync(new CopyOperation(this, copy, cancellationToken), CancellationToken.None).ConfigureAwait(false);
            return;
        }

        await Apart(
            () =>
            {
                using var snapshot = _store.OpenSnapshot();
                Copy(snapshot, copy, cancellationToken);
            },
            cancellationToken).ConfigureAwait(false);
    }

    private void Copy(SqliteDatabase source, SqliteDatabase copy, CancellationToken cancellationToken) =>
        source.CopyTo(copy, PagesAtATime, () =>
        {
            _options.Reached?.Invoke(EnginePoint.Backup);
            ObjectDisposedException.ThrowIf(_disposal is not null && !_store.IsMemory, this);
            cancellationToken.ThrowIfCancellationRequested();
        });

    // language=sqlite
    private const string EndCancelledSql = """
        insert into finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished)
        select id, 22, queue, name, priority, attempt, epoch, enqueued, due, started, @now
        from   tasks
        where  state = 12 and cancelled is not null
        """;

    // As if it had been released; nobody works on the copy. language=sqlite
    private const string ReleaseAllSql = """
        delete from tasks where state = 12 and cancelled is not null;
        update tasks set state = 10, owner = 1 << 40, attempt = attempt - 1 where state = 12;
        delete from worker_names;
        delete from workers;
        """;

    // language=sqlite
    private const string SkipIdsSql = "update counters set next_id = next_id + @count";

    /// <summary>
    /// Its workers are those of another file: nobody here would ever hear of them. The copy is synced as a whole afterwards, and
    /// thrown away if anything fails, so that no journal need be kept meanwhile.
    /// </summary>
    private void PutToRest(SqliteDatabase copy)
    {
        copy.Text("pragma journal_mode = delete"); // One file, without a log; whoever opens it gives it one.
        copy.Text("pragma journal_mode = off");
        copy.Execute("pragma synchronous = off; begin");
        copy.Statement(EndCancelledSql).With(_time.GetUtcNow().ToUnixTimeMilliseconds()).Execute();
        copy.Execute(ReleaseAllSql);
        copy.Statement(SkipIdsSql).With(IdsSkipped).Execute();
        copy.Execute("commit");
    }

    /// <summary>On a thread of its own: it may take minutes.</summary>
    private static Task Apart(Action work, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(work, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private sealed class CopyOperation(SqliteBackend backend, SqliteDatabase copy, CancellationToken cancellationToken) : Operation<bool>
    {
        private OperationCanceledException? _cancelled;

        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
            try
            {
                backend.Copy(backend.Database, copy, cancellationToken);
                Result = true;
            }
            catch (OperationCanceledException e)
            {
                _cancelled = e;
            }
        }

        internal override void Complete()
        {
            if (_cancelled is null)
            {
                base.Complete();
            }
            else
            {
                Fail(_cancelled);
            }
        }
    }
}
