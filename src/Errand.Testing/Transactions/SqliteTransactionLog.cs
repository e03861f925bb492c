using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Errand.Testing;

/// <summary>
/// What becomes of one transaction. SQLite asks its authorizer whenever a statement is prepared, which tells commits, rollbacks and
/// savepoints from one another, whoever executes them. (Its hook for rollbacks belongs to Microsoft.Data.Sqlite; the one for commits is
/// called before a commit that may fail.)
/// </summary>
internal sealed class SqliteTransactionLog
{
    private const int TransactionAction = 22; // SQLITE_TRANSACTION
    private const int SavepointAction = 32; // SQLITE_SAVEPOINT

    /// <summary>One for each transaction, which several queues may share.</summary>
    private static readonly ConditionalWeakTable<SqliteTransaction, SqliteTransactionLog> Known = [];

    private readonly Lock _lock = new(); // The connection's thread writes, that of the test reads.
    private readonly SqliteTransaction _transaction;
    private readonly List<object> _marks = [];
    private readonly List<(string Name, int Marks)> _savepoints = []; // Begun since the first mark: older ones keep none.
    private bool _isCommitting; // The last statement about the whole transaction is a commit.

    private SqliteTransactionLog(SqliteTransaction transaction)
    {
        _transaction = transaction;
        raw.sqlite3_set_authorizer(transaction.Connection!.Handle, Note, null);
    }

    internal static SqliteTransactionLog Of(SqliteTransaction transaction) =>
        Known.GetValue(transaction, one => new SqliteTransactionLog(one));

    internal void Add(object mark)
    {
        lock (_lock)
        {
            _marks.Add(mark);
        }
    }

    /// <returns>Null while the transaction goes on; false as soon as what the mark stands for is rolled back.</returns>
    internal bool? IsCommitted(object mark)
    {
        lock (_lock)
        {
            return !_marks.Contains(mark) ? false : _transaction.Connection is null ? _isCommitting : null;
        }
    }

    private int Note(object user, int action, string operation, string name, string database, string inner)
    {
        if (action is TransactionAction or SavepointAction)
        {
            lock (_lock)
            {
                if (_transaction.Connection is not null) // Else another transaction of this connection.
                {
                    Note(action == SavepointAction ? name : null, operation);
                }
            }
        }

        return raw.SQLITE_OK;
    }

    private void Note(string? savepoint, string operation)
    {
        if (savepoint is null)
        {
            _isCommitting = operation == "COMMIT";
            return;
        }

        var index = _savepoints.FindLastIndex(one => string.Equals(one.Name, savepoint, StringComparison.OrdinalIgnoreCase));
        switch (operation)
        {
            case "BEGIN":
                _savepoints.Add((savepoint, _marks.Count));
                break;
            case "RELEASE":
                _savepoints.RemoveRange(Math.Max(index, 0), _savepoints.Count - Math.Max(index, 0));
                break;
            case "ROLLBACK":
                var kept = index < 0 ? 0 : _savepoints[index].Marks;
                _marks.RemoveRange(kept, _marks.Count - kept);
                _savepoints.RemoveRange(index + 1, _savepoints.Count - index - 1);
                break;
        }
    }
}
