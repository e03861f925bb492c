using System.Data;
using Npgsql;

namespace Errand.PostgreSql.Inspect;

/// <summary>
/// One snapshot of the store, read on a connection of its own: a look at a million tasks must not hold up a turn.
/// </summary>
internal sealed record Snapshot(NpgsqlConnection Connection, NpgsqlTransaction Transaction, PostgresStore Store)
{
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
