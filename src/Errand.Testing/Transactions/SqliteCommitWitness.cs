using Microsoft.Data.Sqlite;

namespace Errand.Testing;

/// <summary>Follows what a SQLite connection does to its transaction and the savepoints in it.</summary>
internal sealed class SqliteCommitWitness : CommitWitness
{
    private readonly SqliteTransactionLog _log;

    private SqliteCommitWitness(SqliteTransactionLog log)
    {
        _log = log;
    }

    internal static SqliteCommitWitness Of(SqliteTransaction transaction)
    {
        var witness = new SqliteCommitWitness(SqliteTransactionLog.Of(transaction));
        witness._log.Add(witness);
        return witness;
    }

    internal override ValueTask<bool?> IsCommittedAsync() => ValueTask.FromResult(_log.IsCommitted(this));
}
