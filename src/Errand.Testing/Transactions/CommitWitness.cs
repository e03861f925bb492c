using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Errand.Testing;

/// <summary>Knows whether what was done at one moment of a caller's transaction has been committed.</summary>
internal abstract class CommitWitness
{
    /// <summary>Of this moment of a transaction, on whatever database it is.</summary>
    /// <exception cref="ArgumentException">The transaction has ended, or is of a type that no backend takes.</exception>
    internal static async ValueTask<CommitWitness> OfAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        if (transaction.Connection is null)
        {
            throw new ArgumentException("The transaction has ended; begin another one.", nameof(transaction));
        }

        return transaction switch
        {
            SqliteTransaction sqlite => SqliteCommitWitness.Of(sqlite),
            { Connection: ICloneable connection } when transaction.GetType().Namespace == "Npgsql" =>
                await PostgresCommitWitness.OfAsync(transaction, connection, cancellationToken).ConfigureAwait(false),
            _ => throw new ArgumentException(
                $"The transaction is a {transaction.GetType().Name}. Errand takes an SqliteTransaction or an NpgsqlTransaction.",
                nameof(transaction)),
        };
    }

    /// <returns>Null while the transaction goes on; false as soon as it cannot be committed any more.</returns>
    internal abstract ValueTask<bool?> IsCommittedAsync();
}
