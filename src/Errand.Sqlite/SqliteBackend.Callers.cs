using System.Data;
using System.Data.Common;
using Errand.Sqlite.Engine;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Errand.Sqlite;

/// <summary>
/// Callers' transactions: the same statements, run on the caller's connection and thread. Nothing of the writer thread's is
/// touched but its inbox.
/// </summary>
public sealed partial class SqliteBackend
{
    private readonly SpareIds _spareIds = new();

    /// <summary>
    /// Begins a writing transaction on a connection of the caller's, in a turn of the backend's own. A transaction that is begun
    /// by the connection itself competes with the backend for the file, and under load may wait for seconds.
    /// </summary>
    /// <param name="connection">An open connection to the backend's file. Nobody else may use it meanwhile.</param>
    /// <returns>The transaction, which holds the file until it is committed or rolled back.</returns>
    /// <exception cref="ArgumentException">The connection is closed.</exception>
    /// <exception cref="BackendBusyException">Another process holds the file.</exception>
    /// <exception cref="InvalidOperationException">The connection has a transaction already; or this is <c>:memory:</c>.</exception>
    public Task<SqliteTransaction> BeginTransactionAsync(SqliteConnection connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (connection.State != ConnectionState.Open)
        {
            throw new ArgumentException("The connection is not open.", nameof(connection));
        }

        // Without a token: a wait that is given up would leave a transaction open that nobody knows of.
        return _store.IsMemory ? throw InMemory() : SubmitAsync(new BeginOperation(this, connection), CancellationToken.None);
    }

    /// <inheritdoc/>
    /// <remarks>Takes a <see cref="SqliteTransaction"/>, as ADO.NET and Entity Framework Core give it.</remarks>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentOutOfRangeException.ThrowIfZero(tasks.Count, nameof(tasks));
        var connection = await ConnectionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        var needed = tasks.Count(task => task.Id is null);
        long firstId;
        while (!_spareIds.TryTake(needed, out firstId))
        {
            await SubmitAsync(new SpareIdsOperation(needed), cancellationToken).ConfigureAwait(false);
        }

        var enqueued = new EnqueuedTask[tasks.Count];
        await RunInAsync(connection, database => Enqueue(database, tasks, firstId, enqueued), cancellationToken).ConfigureAwait(false);
        return enqueued;
    }

    private void Enqueue(SqliteDatabase database, IReadOnlyList<NewTask> tasks, long nextId, EnqueuedTask[] enqueued)
    {
        var names = new InternedNames();
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 0; i < enqueued.Length; i++)
        {
            var task = tasks[i];
            var isNew = task.Id is not { } given || !Exists(database, given.Value);
            if (isNew && task.Id?.Value is { } unknown && !TaskIds.WasGiven(database, unknown))
            {
                throw NeverGiven(unknown);
            }

            var name = names.IdOf(database, task.Name);
            if (isNew && task.UniqueKey is { } key && HolderOf(database, name, key, now) is { } holder)
            {
                enqueued[i] = new EnqueuedTask { Id = new TaskId(holder), IsNew = false };
                continue;
            }

            var id = task.Id?.Value ?? nextId++;
            enqueued[i] = new EnqueuedTask { Id = new TaskId(id), IsNew = isNew };
            if (isNew)
            {
                InsertRow(database, task, id, names.IdOf(database, task.Queue), name, DueTime(task, now), now, owner: null);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        var connection = await ConnectionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        var completed = false;
        await RunInAsync(
            connection,
            database => completed = Succeed(database, lease, result.Span, _time.GetUtcNow().ToUnixTimeMilliseconds()),
            cancellationToken).ConfigureAwait(false);
        return completed;
    }

    // language=sqlite
    private const string HoldsSql =
        "select 1 from tasks where id = @id and owner = @owner and epoch = @epoch and state = 12";

    /// <inheritdoc/>
    public async ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new HoldsOperation(this, lease), cancellationToken).ConfigureAwait(false);

    /// <exception cref="ArgumentException">The transaction is not one on this file.</exception>
    /// <exception cref="InvalidOperationException">This is <c>:memory:</c>, which only its own connection can see.</exception>
    private async ValueTask<SqliteConnection> ConnectionOfAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        if (_store.IsMemory)
        {
            throw InMemory();
        }

        if (transaction is not SqliteTransaction sqlite)
        {
            throw new ArgumentException(
                $"The transaction is a {transaction.GetType().FullName}; this backend takes a Microsoft.Data.Sqlite.SqliteTransaction "
                + $"on '{Path}'.", nameof(transaction));
        }

        var connection = sqlite.Connection ?? throw new ArgumentException(
            "The transaction has been committed or rolled back already.", nameof(transaction));
        if (_store.FileName is null)
        {
            await InitializeAsync(cancellationToken).ConfigureAwait(false);
        }

        if (connection.DataSource != _store.FileName)
        {
            throw new ArgumentException(
                $"The transaction is on '{connection.DataSource}', and the tasks are in '{_store.FileName}'. Tasks and data must be in "
                + "one file to be committed together.", nameof(transaction));
        }

        return connection;
    }

    private static InvalidOperationException InMemory() => new(
        "A database in memory belongs to its backend's own connection, so no other transaction can hold its tasks. Give the backend a "
        + "file, or enqueue without a transaction.");

    /// <summary>All of it or nothing, within the caller's transaction, which stays usable either way.</summary>
    private async ValueTask RunInAsync(
        SqliteConnection connection, Action<SqliteDatabase> work, CancellationToken cancellationToken)
    {
        using var database = SqliteDatabase.Borrow(connection.Handle!, _store.Name);
        _store.CheckVersion(database);
        _store.CheckDurability(database);
        for (var patience = new BusyPatience(_options, new Random()); ; await patience.WaitAsync(cancellationToken).ConfigureAwait(false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            database.Execute("savepoint errand");
            try
            {
                work(database);
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
                if (database.IsInTransaction) // A full disk, for one, has rolled everything back.
                {
                    database.Execute("rollback to errand; release errand");
                }

                throw;
            }
        }

        _inbox.TryAdd(new PollNote(this)); // The commit comes soon: look for it, quickly at first.
    }

    /// <summary>Succeeds when that many ids are kept ready; the turn takes them before it begins.</summary>
    private sealed class SpareIdsOperation(int needed) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int SpareIds => Math.Max(needed, TaskIds.BlockSize);

        internal override void Run() => Result = true;
    }

    private sealed class BeginOperation(SqliteBackend backend, SqliteConnection connection) : Operation<SqliteTransaction>
    {
        private InvalidOperationException? _misuse;

        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
            var timeout = connection.DefaultTimeout;
            connection.DefaultTimeout = 1; // Only another process can be in the way, and the writer must not stand still for long.
            try
            {
                Result = connection.BeginTransaction();
            }
            catch (SqliteException e) when (e.SqliteErrorCode is raw.SQLITE_BUSY)
            {
                throw new BackendBusyException($"{backend._store.Name} is held by another process. Try again.", e);
            }
            catch (SqliteException e)
            {
                throw new BackendException($"{backend._store.Name}: no transaction could be begun: {e.Message}", false, e);
            }
            catch (InvalidOperationException e)
            {
                _misuse = e; // It has one already.
            }
            finally
            {
                connection.DefaultTimeout = timeout;
            }
        }

        internal override void Complete()
        {
            if (_misuse is null)
            {
                base.Complete();
            }
            else
            {
                Fail(_misuse);
            }
        }
    }

    private sealed class HoldsOperation(SqliteBackend backend, TaskLease lease) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
            Result = backend.Database.Statement(HoldsSql).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Scalar() is not null;
            backend._waitersMayBeDone |= !Result; // Another connection has settled it: who waits for it here may be told.
        }
    }
}
