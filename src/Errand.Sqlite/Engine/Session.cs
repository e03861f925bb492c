namespace Errand.Sqlite.Engine;

/// <summary>
/// One open database, and what is known of it for as long as it is open: the connection that writes, the numbers of
/// names, a block of ids. When the database is opened again there is a new one. The writer's alone.
/// </summary>
internal sealed class Session(SqliteStore store, SqliteDatabase database, PartList<Turn> parts, TimeProvider time) : IDisposable
{
    private readonly InternedNames _names = new();
    private readonly TaskIds _ids = new();
    private SchemaTooNewException? _outdated; // A newer version of Errand has upgraded the database since it was opened.
    private bool _commitIsUnknown; // A commit was tried, and was not seen to succeed.

    internal SqliteDatabase Database => database;

    /// <summary>Reads outside any transaction, at this moment.</summary>
    internal Turn Reader => NewTurn();

    internal bool HasIds(int count) => _ids.Has(count);

    /// <summary>Continues with a block that was taken and committed.</summary>
    internal void UseIds(long first, int size)
    {
        _ids.Use(first, size);
        _ids.AvoidTaken(database);
    }

    /// <summary>
    /// Begins a transaction that writes, and says which parts must look again because others have written.
    /// </summary>
    /// <param name="isPatient">Whether it waits while somebody else writes, for the busy timeout at most.</param>
    /// <exception cref="BackendBusyException">Somebody else held the file.</exception>
    /// <exception cref="SchemaTooNewException">A newer version of Errand has migrated the database.</exception>
    internal Turn Begin(bool isPatient)
    {
        store.BeginWriting(database, isPatient);
        try
        {
            if (!store.IsMemory && database.HasChanged)
            {
                _outdated = store.Schema.Newer(database); // Before anything is written into what a newer engine may have upgraded.
                database.NoteChange();
                _ids.AvoidTaken(database);
                if (_names.HaveGone(database))
                {
                    _names.Forget();
                    parts.Doubt(Doubt.Opened); // As good as another database.
                }

                parts.Doubt(Doubt.OthersWrote);
            }
        }
        catch
        {
            RollBack();
            throw;
        }

        return NewTurn(); // Now: it may have waited, and what has expired meanwhile must not start.
    }

    internal void Commit()
    {
        _commitIsUnknown = true;
        database.Statement("commit").Execute();
        _commitIsUnknown = false;
    }

    /// <returns>True when the commit was tried, and nobody knows whether it was done.</returns>
    internal bool RollBack()
    {
        var isUnknown = _commitIsUnknown;
        _commitIsUnknown = false;
        _names.Forget();
        database.ResetStatements();
        if (database.IsInTransaction)
        {
            database.Statement("rollback").Execute();
        }

        return isUnknown;
    }

    public void Dispose() => database.Dispose();

    private Turn NewTurn() => new(database, _names, _ids, parts, time.GetUtcNow().ToUnixTimeMilliseconds(), _outdated);
}
