using System.Data;
using System.Globalization;
using Npgsql;

namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// A call with very many tasks, or very large ones, has a transaction and a connection of its own beside the turns: in a
/// turn, everybody else would wait for it.
/// </summary>
internal sealed class Bulk(
    PostgresStore store, PostgresBackendOptions options, IInbox<Turn> inbox, CallersTransactions transactions,
    CancellationTokenSource closing)
{
    private const int RowsInTurn = 10_000;
    private const long BytesInTurn = 16 * 1024 * 1024;

    internal static bool Is(IReadOnlyList<NewTask> tasks) =>
        tasks.Count > RowsInTurn || Enqueuing.BytesOf(tasks) > BytesInTurn;

    /// <inheritdoc cref="IBackend.EnqueueAsync"/>
    internal async Task<IReadOnlyList<EnqueuedTask>> EnqueueAsync(IReadOnlyList<NewTask> tasks)
    {
        try
        {
            // The ids are kept through every try: one whose answer was lost may have committed them.
            var prepared = await inbox.SubmitAsync(Enqueuing.Prepare(tasks), closing.Token).ConfigureAwait(false);
            for (var redos = 0; ; redos++)
            {
                try
                {
                    var answers = await EnqueueOnceAsync(tasks, prepared).ConfigureAwait(false);
                    await inbox.SubmitAsync(new WakeOperation(), closing.Token).ConfigureAwait(false);
                    return answers;
                }
                catch (BackendException e)
                    when (redos < Sessions.Redos && (PostgresErrors.LostConnection(e) || PostgresErrors.IsConflict(e)))
                {
                    // Again, on a new connection; the turns wait for a server that is away.
                    prepared = prepared with
                    {
                        Session = await inbox.SubmitAsync(CallersTransactions.SessionOf(), closing.Token)
                            .ConfigureAwait(false),
                    };
                }
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            throw Inbox.Disposed();
        }
    }

    private async Task<IReadOnlyList<EnqueuedTask>> EnqueueOnceAsync(
        IReadOnlyList<NewTask> tasks, PreparedTasks prepared)
    {
        var connection = await store.OpenAsync("bulks", closing.Token).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, closing.Token)
                    .ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    await SetUpAsync(connection, transaction).ConfigureAwait(false);
                    var answers = await transactions.EnqueueAsync(tasks, prepared, transaction, closing.Token)
                        .ConfigureAwait(false);
                    await transaction.CommitAsync(closing.Token).ConfigureAwait(false);
                    return answers;
                }
            }
            catch (Exception e) when (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, store.Name);
            }
        }
    }

    // language=postgresql
    private const string LimitWaitSql = "select set_config('lock_timeout', @limit, true)";

    private async Task SetUpAsync(NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        var planner = new NpgsqlCommand(PostgresStore.LocalPlannerSql, connection, transaction);
        var limit = new NpgsqlCommand(LimitWaitSql, connection, transaction)
        {
            Parameters =
            {
                new("limit", ((long)options.BusyTimeout.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)),
            },
        };
        await using (planner.ConfigureAwait(false))
        await using (limit.ConfigureAwait(false))
        {
            await planner.ExecuteNonQueryAsync(closing.Token).ConfigureAwait(false);
            await limit.ExecuteNonQueryAsync(closing.Token).ConfigureAwait(false);
        }
    }

    /// <summary>The tasks are committed: wakes workers of this process and of others.</summary>
    private sealed class WakeOperation : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn) => turn.Ready();
    }
}
