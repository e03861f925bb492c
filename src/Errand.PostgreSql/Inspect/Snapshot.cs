using System.Data;
using Npgsql;

namespace Errand.PostgreSql.Inspect;

/// <summary>
/// One snapshot of the store, read on a connection of its own: a look at a million tasks must not hold up a turn.
/// </summary>
internal sealed record Snapshot(NpgsqlConnection Connection, NpgsqlTransaction Transaction, PostgresStore Store)
{
    /// <summary>Opens a connection, and reads in one snapshot.</summary>
    internal static async Task<T> TakeAsync<T>(
        PostgresStore store, Func<Snapshot, Task<T>> read, CancellationToken cancellationToken)
    {
        var connection = await store.OpenAsync("looks", cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                var transaction = await connection
                    .BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    return await read(new Snapshot(connection, transaction, store)).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, store.Name);
            }
        }
    }

    internal async Task RunAsync(Action<TurnBatch> add)
    {
        var batch = new TurnBatch(Connection, Store, Transaction);
        await using (batch.ConfigureAwait(false))
        {
            add(batch);
            await batch.RunAsync().ConfigureAwait(false);
        }
    }
}
