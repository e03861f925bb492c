using System.Data.Common;
using Npgsql;

namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Callers' transactions: a turn over the caller's connection, with the same rules. The writer gives names and ids on
/// its own connection beforehand, so the caller's transaction locks nothing but its tasks. It sends no notification;
/// polling finds them.
/// </summary>
internal sealed class CallersTransactions(
    PostgresStore store, IInbox<Turn> inbox, PartList<Turn> parts, Enqueuing enqueuing, Settling settling,
    Neighbours neighbours)
{
    private const string Savepoint = "errand";

    /// <inheritdoc cref="IBackend.EnqueueInAsync"/>
    internal async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var prepared = await inbox.SubmitAsync(Enqueuing.Prepare(tasks), cancellationToken).ConfigureAwait(false);
        return await EnqueueAsync(tasks, prepared, transaction, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>As the other, for tasks that have numbers for their names, and ids.</summary>
    internal async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, PreparedTasks prepared, NpgsqlTransaction transaction,
        CancellationToken cancellationToken)
    {
        var (session, ids) = prepared;
        var known = await FindKnownAsync(session, transaction, tasks, cancellationToken).ConfigureAwait(false);
        NewRows? rows = null;
        if (!tasks.All(task => task.Id is { } given && known.Contains(given.Value)))
        {
            await RunInAsync(
                session, transaction,
                turn =>
                {
                    rows = enqueuing.Collect(turn, tasks, ids, mayExist: true, known);
                    turn.End(TurnStage.Enqueue);
                },
                cancellationToken).ConfigureAwait(false);
        }

        var answers = Enqueuing.AnswersOf(rows, tasks, ids, known);
        return Array.Exists(answers, one => one.Id == default)
            ? throw new BackendException(
                $"{store.Name}: the task that held the unique key ended at this moment. Try again.", isTransient: true)
            : answers;
    }

    // language=postgresql
    private const string KnownIdsSql = """
        select id from errand.errand_tasks where id = any(@ids)
        union all
        select id from errand.errand_finished where id = any(@ids)
        """;

    /// <summary>
    /// Which of the ids that the caller gave are live or finished. The caller's snapshot may be older than that, so the
    /// backend's own connection looks, while the caller's transaction holds the ids: nobody enqueues them before its
    /// end.
    /// </summary>
    private async Task<IReadOnlySet<long>> FindKnownAsync(
        Session session, NpgsqlTransaction transaction, IReadOnlyList<NewTask> tasks,
        CancellationToken cancellationToken)
    {
        long[] given = [.. tasks.Select(task => task.Id?.Value).OfType<long>()];
        if (given.Length == 0)
        {
            return new HashSet<long>();
        }

        await RunInAsync(
            session, transaction, turn => enqueuing.Locks.LockIds(turn, given), cancellationToken)
                .ConfigureAwait(false);
        return await inbox.SubmitAsync(new KnownIdsOperation(given), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="IBackend.CompleteInAsync"/>
    internal async ValueTask<bool> CompleteAsync(
        TaskLease lease, ReadOnlyMemory<byte> result, NpgsqlTransaction transaction,
        CancellationToken cancellationToken)
    {
        var session = await inbox.SubmitAsync(new SessionOperation(), cancellationToken).ConfigureAwait(false);
        SettleRows? rows = null;
        await RunInAsync(
            session, transaction,
            turn =>
            {
                rows = settling.Complete(turn, lease, result);
                turn.End(TurnStage.Settle);
            },
            cancellationToken).ConfigureAwait(false);
        return rows?.IsSettled(lease) == true;
    }

    /// <exception cref="ArgumentException">The transaction is another provider's.</exception>
    internal NpgsqlTransaction Own(DbTransaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction as NpgsqlTransaction ?? throw new ArgumentException(
            $"The transaction is a {transaction.GetType().FullName}; this backend takes an Npgsql.NpgsqlTransaction on "
            + $"{store.Name}.", nameof(transaction));
    }

    /// <summary>All of it or nothing, within the caller's transaction, which stays usable either way.</summary>
    private async ValueTask RunInAsync(
        Session session, NpgsqlTransaction transaction, Action<Turn> add, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var connection = await SaveAsync(transaction, cancellationToken).ConfigureAwait(false);
        try
        {
            var batch = new TurnBatch(connection, store, transaction);
            await using (batch.ConfigureAwait(false))
            {
                var turn = new Turn(session, batch, parts, number: 0);
                SchemaMark? mark = null;
                turn.Add(Schema.ReadMarkSql, row => mark = Schema.ReadMark(row));
                add(turn);
                await batch.RunAsync().ConfigureAwait(false);
                Check(mark, connection);
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

        neighbours.ExpectSoon(); // The commit comes soon: look for it, quickly at first.
    }

    private void Check(SchemaMark? mark, NpgsqlConnection connection)
    {
        if (mark?.Store != store.Mark)
        {
            throw NotOurs(connection);
        }

        if (!mark.IsDurable && store.IsDurable)
        {
            throw new InvalidOperationException(
                "The transaction's connection has synchronous_commit = off, but the backend promises what it commits. "
                + "Execute 'set local synchronous_commit = on' in the transaction.");
        }
    }

    private static async Task<NpgsqlConnection> SaveAsync(
        NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        try
        {
            await transaction.SaveAsync(Savepoint, cancellationToken).ConfigureAwait(false);
            return transaction.Connection!;
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            throw new ArgumentException(
                "The transaction has been committed or rolled back already.", nameof(transaction), e);
        }
    }

    private ArgumentException NotOurs(NpgsqlConnection connection) => new(
        $"The transaction is on the database '{connection.Database}' at {connection.Host}:{connection.Port}, and the "
        + $"tasks are in {store.Name}. Tasks and data must be in one database to be committed together.");

    private sealed class KnownIdsOperation(long[] ids) : Operation<Turn, IReadOnlySet<long>>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            HashSet<long> known = [];
            Result = known;
            turn.Add(KnownIdsSql, row => known.Add(row.GetInt64(0))).With("ids", ids);
        }
    }

    /// <summary>The session that is open, in which names have numbers.</summary>
    internal static Operation<Turn, Session> SessionOf() => new SessionOperation();

    /// <summary>Opens the store, so that it is known which one a transaction must be on.</summary>
    private sealed class SessionOperation : Operation<Turn, Session>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.Session;
    }
}
