using System.Data.Common;
using System.Globalization;

namespace Errand.Testing;

/// <summary>
/// Asks PostgreSQL for the outcome of a subtransaction, which ends with its savepoint or with the transaction. Without a reference to
/// Npgsql, which most tests do not need.
/// </summary>
internal sealed class PostgresCommitWitness : CommitWitness
{
    private readonly DbConnection _connection; // Not the caller's, which may be in use, closed or in its next transaction.
    private readonly long _subtransaction;

    private PostgresCommitWitness(DbConnection connection, long subtransaction)
    {
        _connection = connection;
        _subtransaction = subtransaction;
    }

    internal static async ValueTask<PostgresCommitWitness> OfAsync(
        DbTransaction transaction, ICloneable connection, CancellationToken cancellationToken)
    {
        // The id of a subtransaction can be read from a row that it has written. It lacks the epoch, which is the transaction's.
        var command = transaction.Connection!.CreateCommand();
        await using var ended = command.ConfigureAwait(false);
        command.Transaction = transaction;
        command.CommandText =
            // language=postgresql
            """
            create temp table if not exists errand_test (task int) on commit drop;
            insert into errand_test
            values (1)
            returning (pg_current_xact_id()::text::bigint >> 32 << 32) + xmin::text::bigint;
            """;
        var subtransaction = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        return new PostgresCommitWitness(
            (DbConnection)connection.Clone(), Convert.ToInt64(subtransaction, CultureInfo.InvariantCulture));
    }

    internal override async ValueTask<bool?> IsCommittedAsync()
    {
        await _connection.OpenAsync().ConfigureAwait(false);
        try
        {
            var command = _connection.CreateCommand();
            await using var ended = command.ConfigureAwait(false);
            command.CommandText =
                // language=postgresql
                """
                select pg_xact_status(@id::text::xid8)
                """;
            var id = command.CreateParameter();
            id.ParameterName = "id";
            id.Value = _subtransaction.ToString(CultureInfo.InvariantCulture);
            command.Parameters.Add(id);
            return await command.ExecuteScalarAsync().ConfigureAwait(false) is var status && status is "in progress"
                ? null
                : status is "committed";
        }
        finally
        {
            await _connection.CloseAsync().ConfigureAwait(false);
        }
    }
}
