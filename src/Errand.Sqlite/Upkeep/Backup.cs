namespace Errand.Sqlite.Upkeep;

/// <summary>A copy of one moment, made while everybody goes on, in which nothing runs.</summary>
internal sealed class Backup(SqliteStore store, SqliteBackendOptions options, PartList<Turn> parts, Writer writer, IInbox<Turn> inbox)
{
    /// <summary>Pages that are copied before it is asked whether to go on: 4 MiB.</summary>
    private const int PagesAtATime = 1_024;

    /// <summary>By how much the ids of a copy begin higher than those of its original.</summary>
    private const long IdsSkipped = 1_000_000_000;

    /// <inheritdoc cref="SqliteBackend.BackupAsync"/>
    internal async Task TakeAsync(string path, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (path == ":memory:")
        {
            throw new ArgumentException("A backup is a file; give a path.", nameof(path));
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var file = BackupFile.Create(path, store.Name);
        using (var copy = SqliteDatabase.Open(file.TemporaryPath, file.Name, options.Vfs))
        {
            await CopyAsync(copy, cancellationToken).ConfigureAwait(false);
            await Background.RunAsync(() => PutToRest(copy), cancellationToken).ConfigureAwait(false);
        }

        await Background.RunAsync(file.Keep, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyAsync(SqliteDatabase copy, CancellationToken cancellationToken)
    {
        if (store.IsMemory)
        {
            // Without a token: a wait that is given up would close the copy under the writer's hands.
            await inbox.SubmitAsync(new CopyOperation(this, copy, cancellationToken), CancellationToken.None).ConfigureAwait(false);
            return;
        }

        await Background.RunAsync(
            () =>
            {
                using var snapshot = store.OpenSnapshot();
                Copy(snapshot, copy, cancellationToken);
            },
            cancellationToken).ConfigureAwait(false);
    }

    private void Copy(SqliteDatabase source, SqliteDatabase copy, CancellationToken cancellationToken) =>
        source.CopyTo(copy, PagesAtATime, () =>
        {
            options.Reached?.Invoke(EnginePoint.Backup);
            if (writer.IsDisposed && !store.IsMemory)
            {
                throw Inbox.Disposed;
            }

            cancellationToken.ThrowIfCancellationRequested();
        });

    // language=sqlite
    private const string SkipIdsSql = "update errand_counters set next_id = next_id + @count";

    /// <summary>
    /// Each part puts its own to rest, in the doors of a turn over the copy. The copy is synced as a whole afterwards,
    /// and thrown away if anything fails, so that no journal need be kept meanwhile.
    /// </summary>
    private void PutToRest(SqliteDatabase copy)
    {
        copy.Text("pragma journal_mode = delete"); // One file, without a log; whoever opens it gives it one.
        copy.Text("pragma journal_mode = off");
        copy.Execute("pragma synchronous = off; begin");
        var turn = new Turn(copy, new InternedNames(), new TaskIds(), parts, options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds());
        foreach (var part in parts.All)
        {
            part.Rest(turn);
        }

        turn.Statement(SkipIdsSql).With(IdsSkipped).Execute();
        copy.Execute("commit");
    }

    private sealed class CopyOperation(Backup backup, SqliteDatabase copy, CancellationToken cancellationToken) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            try
            {
                backup.Copy(turn.Database, copy, cancellationToken);
                Result = true;
            }
            catch (OperationCanceledException e)
            {
                Refusal = e;
            }
        }
    }
}
