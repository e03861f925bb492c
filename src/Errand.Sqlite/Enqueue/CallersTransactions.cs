using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Errand.Sqlite.Enqueue;

/// <summary>
/// Callers' transactions: turns over the caller's connection, on the caller's thread. Nothing of the writer's is
/// touched but its inbox.
/// </summary>
internal sealed class CallersTransactions(
    SqliteStore store, SqliteBackendOptions options, SpareIds spareIds, PartList<Turn> parts, Neighbours neighbours, Enqueuing enqueuing,
    IInbox<Turn> inbox)
{
    /// <inheritdoc cref="SqliteBackend.BeginTransactionAsync"/>
    internal Task<SqliteTransaction> BeginAsync(SqliteConnection connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (connection.State != ConnectionState.Open)
        {
            throw new ArgumentException("The connection is not open.", nameof(connection));
        }

        // Without a token: a wait that is given up would leave a transaction open that nobody knows of.
        return store.IsMemory
            ? throw InMemory()
            : inbox.SubmitAsync(new BeginOperation(store, connection), CancellationToken.None).AsTask();
    }

    /// <inheritdoc cref="IBackend.EnqueueInAsync"/>
    internal async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken)
    {
        var copy = Arguments.Copy(tasks);
        var connection = await ConnectionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        var needed = copy.Count(task => task.Id is null);
        while (true)
        {
            long firstId;
            while (!spareIds.TryTake(needed, out firstId))
            {
                await inbox.SubmitAsync(new SpareIdsOperation(needed), cancellationToken).ConfigureAwait(false);
            }

            var enqueued = await RunAsync(
                connection, firstId, needed,
                turn => turn.Outdated is { } outdated ? throw outdated : Enqueuing.EnqueueIn(turn, copy),
                cancellationToken).ConfigureAwait(false);
            if (enqueued is not null)
            {
                return enqueued;
            }
        }
    }

    /// <inheritdoc cref="IBackend.CompleteInAsync"/>
    internal async ValueTask<bool> CompleteAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken)
    {
        var connection = await ConnectionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        return await RunAsync(connection, 0, 0, turn => Settling.Succeed(turn, lease, result.Span), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <exception cref="ArgumentException">The transaction is not one on this file.</exception>
    /// <exception cref="InvalidOperationException">This is <c>:memory:</c>, which only its own connection can see.</exception>
    private async ValueTask<SqliteConnection> ConnectionOfAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (store.IsMemory)
        {
            throw InMemory();
        }

        if (transaction is not SqliteTransaction sqlite)
        {
            throw new ArgumentException(
                $"The transaction is a {transaction.GetType().FullName}; this backend takes a Microsoft.Data.Sqlite.SqliteTransaction "
                + $"on '{store.Path}'.", nameof(transaction));
        }

        var connection = sqlite.Connection ?? throw new ArgumentException(
            "The transaction has been committed or rolled back already.", nameof(transaction));
        if (store.FileName is null)
        {
            await inbox.SubmitAsync(enqueuing.Initialize(), cancellationToken).ConfigureAwait(false);
        }

        if (connection.DataSource != store.FileName)
        {
            throw new ArgumentException(
                $"The transaction is on '{connection.DataSource}', and the tasks are in '{store.FileName}'. Tasks and data must be in "
                + "one file to be committed together.", nameof(transaction));
        }

        return connection;
    }

    private static InvalidOperationException InMemory() => new(
        "A database in memory belongs to its backend's own connection, so no other transaction can hold its tasks. Give the backend a "
        + "file, or enqueue without a transaction.");

    /// <summary>All of it or nothing, within the caller's transaction, which stays usable either way.</summary>
    /// <returns>What the work gives; the default when one of the ids is not free.</returns>
    private async ValueTask<T?> RunAsync<T>(
        SqliteConnection connection, long firstId, int ids, Func<Turn, T> work, CancellationToken cancellationToken)
    {
        var handle = connection.Handle ?? throw new ArgumentException("The connection of the transaction is closed.");
        using var database = SqliteDatabase.Borrow(handle, store.Name);
        var outdated = store.Schema.Newer(database);
        store.CheckDurability(database);
        T? result;
        for (var patience = new BusyPatience(options, new Random()); ; await patience.WaitAsync(cancellationToken).ConfigureAwait(false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var taskIds = new TaskIds();
            taskIds.Use(firstId, ids);
            taskIds.AvoidTaken(database);
            if (!taskIds.Has(ids))
            {
                return default;
            }

            var now = options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds();
            database.Execute("savepoint errand");
            try
            {
                var turn = new Turn(database, new InternedNames(), taskIds, parts, now, outdated);
                result = work(turn);
                turn.End(TurnStage.Enqueue);
                database.Execute("release errand");
                break;
            }
            catch (BackendBusyException e) when (patience.IsLeft && !SqliteErrors.IsStaleSnapshot(e))
            {
                // A transaction that was begun as a reader, and another writes at this moment.
                database.Execute("rollback to errand; release errand");
            }
            catch
            {
                database.ResetStatements();
                if (database.IsInTransaction) // A full disk, for one, has rolled everything back.
                {
                    database.Execute("rollback to errand; release errand");
                }

                throw;
            }
        }

        neighbours.ExpectCommit();
        return result;
    }

    /// <summary>Succeeds when that many ids are kept ready; the turn takes them before it begins.</summary>
    private sealed class SpareIdsOperation(int needed) : Operation<Turn, bool>, IUsesIds
    {
        internal override TurnStage Stage => TurnStage.Enqueue;

        public int SpareIds => Math.Max(needed, TaskIds.BlockSize);

        internal override void Run(Turn turn) => Result = true;
    }

    private sealed class BeginOperation(SqliteStore store, SqliteConnection connection) : Operation<Turn, SqliteTransaction>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            var timeout = connection.DefaultTimeout;
            connection.DefaultTimeout = 1; // Only another process can be in the way, and the writer must not stand still for long.
            try
            {
                Result = connection.BeginTransaction();
            }
            catch (SqliteException e) when (e.SqliteErrorCode is raw.SQLITE_BUSY)
            {
                throw new BackendBusyException($"{store.Name} is held by another process. Try again.", e);
            }
            catch (SqliteException e)
            {
                throw new BackendException($"{store.Name}: no transaction could be begun: {e.Message}", false, e);
            }
            catch (InvalidOperationException e)
            {
                Refusal = e; // It has one already.
            }
            finally
            {
                connection.DefaultTimeout = timeout;
            }
        }
    }
}
