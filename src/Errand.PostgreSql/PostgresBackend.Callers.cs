using System.Data;
using System.Data.Common;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>
/// Callers' transactions: the same statements, run on the caller's connection. Names and ids are had before by the loop, on its own:
/// the caller's transaction locks nothing but its tasks, and sends no notification, which polling makes up for.
/// </summary>
public sealed partial class PostgresBackend
{
    private const string Savepoint = "errand";

    /// <inheritdoc/>
    /// <remarks>
    /// Takes a <see cref="NpgsqlTransaction"/> of any isolation level, as ADO.NET and Entity Framework Core give it. Who enqueues an
    /// id that another open transaction has enqueued waits for its end. Workers of other processes find the tasks by polling, within
    /// a second of the commit.
    /// </remarks>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueInAsync(
        IReadOnlyList<NewTask> tasks, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentOutOfRangeException.ThrowIfZero(tasks.Count, nameof(tasks));
        var theirs = TheirsOf(transaction);
        var ids = await SubmitAsync(new PrepareForCallerOperation(this, tasks), cancellationToken).ConfigureAwait(false);
        var next = 0;
        List<NewRow> rows = [.. tasks.Select(task => new NewRow(task, task.Id?.Value ?? ids[next++]))];
        var unknown = await WithoutKnownAsync(theirs, rows, cancellationToken).ConfigureAwait(false);
        var plain = unknown.FindAll(row => row.Task.UniqueKey is null);
        var unique = unknown.Where(row => row.Task.UniqueKey is not null)
            .DistinctBy(row => (row.Task.Name, row.Task.UniqueKey)).ToDictionary(row => (row.Task.Name, row.Task.UniqueKey!));
        HashSet<long> inserted = [];
        Dictionary<long, long> holders = [];
        if (unknown.Count > 0)
        {
            await RunInAsync(
                theirs,
                batch =>
                {
                    if (plain.Count > 0)
                    {
                        AddKnown(batch, plain, inserted, _ => { });
                    }

                    if (unique.Count > 0)
                    {
                        AddUnique(batch, [.. unique.Values], inserted, holders, _ => { });
                    }
                },
                cancellationToken).ConfigureAwait(false);
        }

        return [.. rows.Select(Answer)];

        EnqueuedTask Answer(NewRow row)
        {
            if (inserted.Remove(row.Id))
            {
                return new EnqueuedTask { Id = new TaskId(row.Id), IsNew = true };
            }

            if (row.Task.UniqueKey is not { } key || !unknown.Contains(row))
            {
                return new EnqueuedTask { Id = new TaskId(row.Id), IsNew = false };
            }

            return holders.TryGetValue(unique[(row.Task.Name, key)].Id, out var holder)
                ? new EnqueuedTask { Id = new TaskId(holder), IsNew = false }
                : throw new BackendException(
                    $"{_store.Name}: the task that held the unique key ended at this moment. Try again.", isTransient: true);
        }
    }

    // language=postgresql
    private const string KnownIdsSql = """
        select id from errand.tasks where id = any(@ids)
        union all
        select id from errand.finished where id = any(@ids)
        """;

    /// <summary>
    /// Leaves out the tasks whose id is live or finished. The caller's snapshot may be older than that, so it is looked at from the
    /// backend's own connection, while the caller's transaction holds the ids: nobody enqueues them before its end.
    /// </summary>
    private async Task<List<NewRow>> WithoutKnownAsync(
        NpgsqlTransaction transaction, List<NewRow> rows, CancellationToken cancellationToken)
    {
        long[] given = [.. rows.Where(row => row.Task.Id is not null).Select(row => row.Id)];
        if (given.Length == 0)
        {
            return rows;
        }

        await RunInAsync(transaction, batch => LockIds(batch, IdScope, given), cancellationToken).ConfigureAwait(false);
        var known = await SubmitAsync(new KnownIdsOperation(given), cancellationToken).ConfigureAwait(false);
        return rows.FindAll(row => !known.Contains(row.Id));
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CompleteInAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        var theirs = TheirsOf(transaction);
        await InitializeAsync(cancellationToken).ConfigureAwait(false);
        var completed = false;
        await RunInAsync(
            theirs,
            batch => WithLeases(batch.Add(ArchiveSuccessSql, _ => completed = true), [lease])
                .With("now", TestNow).With("results", new[] { result.ToArray() }),
            cancellationToken).ConfigureAwait(false);
        return completed;
    }

    // language=postgresql
    private const string HoldsSql =
        "select id from errand.tasks where id = @id and owner + 0 = @owner and epoch = @epoch and state + 0 = 12";

    /// <inheritdoc/>
    public async ValueTask<bool> HoldsAsync(TaskLease lease, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new HoldsOperation(this, lease), cancellationToken).ConfigureAwait(false);

    /// <exception cref="ArgumentException">The transaction is another provider's, or has ended.</exception>
    private NpgsqlTransaction TheirsOf(DbTransaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        if (transaction is not NpgsqlTransaction theirs)
        {
            throw new ArgumentException(
                $"The transaction is a {transaction.GetType().FullName}; this backend takes an Npgsql.NpgsqlTransaction on {_store.Name}.",
                nameof(transaction));
        }

        return theirs;
    }

    // language=postgresql
    private const string MarkSql = """
        select m.store || '/' || d.oid, current_setting('synchronous_commit')
        from   errand.meta m, pg_database d
        where  d.datname = current_database()
        """;

    /// <summary>All of it or nothing, within the caller's transaction, which stays usable either way.</summary>
    private async ValueTask RunInAsync(
        NpgsqlTransaction transaction, Action<TurnBatch> add, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var connection = await SaveAsync(transaction, cancellationToken).ConfigureAwait(false);
        try
        {
            var batch = new TurnBatch(connection, _store, transaction);
            await using (batch.ConfigureAwait(false))
            {
                var (mark, durability) = ("", "");
                batch.Add(MarkSql, row => (mark, durability) = (row.GetString(0), row.GetString(1)));
                add(batch);
                await batch.RunAsync().ConfigureAwait(false);
                if (mark != _store.Mark)
                {
                    throw NotOurs(connection);
                }

                if (durability == "off" && _store.IsDurable)
                {
                    throw new InvalidOperationException(
                        "The transaction's connection has synchronous_commit = off, but the backend promises what it commits. Execute "
                        + "'set local synchronous_commit = on' in the transaction.");
                }
            }

            await transaction.ReleaseAsync(Savepoint, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (connection.FullState == System.Data.ConnectionState.Open)
            {
                await transaction.RollbackAsync(Savepoint, CancellationToken.None).ConfigureAwait(false);
            }

            if (e.InnerException is PostgresException
                {
                    SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName,
                })
            {
                throw NotOurs(connection);
            }

            throw;
        }

        _inbox.Writer.TryWrite(new PollNote(this, isSoon: true)); // The commit comes soon: look for it, quickly at first.
    }

    private static async Task<NpgsqlConnection> SaveAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        try
        {
            await transaction.SaveAsync(Savepoint, cancellationToken).ConfigureAwait(false);
            return transaction.Connection!;
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            throw new ArgumentException("The transaction has been committed or rolled back already.", nameof(transaction), e);
        }
    }

    private ArgumentException NotOurs(NpgsqlConnection connection) => new(
        $"The transaction is on the database '{connection.Database}' at {connection.Host}:{connection.Port}, and the tasks are in "
        + $"{_store.Name}. Tasks and data must be in one database to be committed together.");

    /// <summary>Gives a caller's tasks what must be had before: numbers for their names, and ids.</summary>
    private sealed class PrepareForCallerOperation(PostgresBackend backend, IReadOnlyList<NewTask> tasks) : Operation<long[]>
    {
        private ArgumentException? _misuse;

        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int Rows => 0;

        internal override int NewIds { get; } = tasks.Count(task => task.Id is null);

        internal override long LargestGivenId => tasks.Max(task => task.Id?.Value ?? 0);

        internal override IEnumerable<string> Names => tasks.SelectMany(task => new[] { task.Queue, task.Name });

        internal override void Run(TurnBatch batch)
        {
            Result = Ids ?? [];
            _misuse = LargestGivenId > 0 && LargestGivenId >= backend._givenBelow ? NeverGiven(LargestGivenId) : null;
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

    private sealed class KnownIdsOperation(long[] ids) : Operation<IReadOnlySet<long>>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run(TurnBatch batch)
        {
            HashSet<long> known = [];
            Result = known;
            batch.Add(KnownIdsSql, row => known.Add(row.GetInt64(0))).With("ids", ids);
        }
    }

    private sealed class HoldsOperation(PostgresBackend backend, TaskLease lease) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run(TurnBatch batch)
        {
            Result = false;
            batch.Add(HoldsSql, _ => Result = true).With("id", lease.Id.Value).With("owner", lease.Owner.Value).With("epoch", lease.Epoch);
        }

        internal override void Complete()
        {
            backend._waitersMayBeDone |= !Result; // Another connection has settled it: who waits for it here may be told.
            base.Complete();
        }
    }
}
