using System.Globalization;

namespace Errand.Sqlite.Data;

/// <summary>
/// Errand's tables in a database that belongs to the application: which version of them is there, and how they are
/// made. The file's own <c>application_id</c> and <c>user_version</c> are the application's; Errand neither reads nor
/// writes them.
/// </summary>
/// <param name="store">The database, as messages name it.</param>
/// <param name="migrations">The steps that this engine knows.</param>
internal sealed class Schema(string store, IReadOnlyList<Migration> migrations)
{
    /// <summary>The version that this engine writes.</summary>
    internal int Version => migrations.Count;

    // language=sqlite
    private const string HasMetaSql =
        "select count(*), coalesce(sum(name in ('version', 'reader', 'writer')), 0) from pragma_table_info('errand_meta')";

    // language=sqlite
    private const string ReadMetaSql = "select version, reader, writer, (select count(*) from errand_meta) from errand_meta";

    // language=sqlite
    private const string ReaderSql = "select reader from errand_meta";

    // language=sqlite
    private const string WriteMetaSql = "update errand_meta set version = @version, reader = @reader, writer = @writer";

    /// <summary>The version of Errand's tables; 0 when there are none.</summary>
    /// <exception cref="NotAnErrandDatabaseException">There is a table <c>errand_meta</c> that is not Errand's.</exception>
    /// <exception cref="SchemaTooNewException">A newer version of Errand made them.</exception>
    internal int Identify(SqliteDatabase database) => Newer(database, out var version) is { } newer ? throw newer : version;

    /// <summary>
    /// Whether a newer version of Errand has upgraded the tables, in a way that lets this one finish what it runs.
    /// </summary>
    /// <returns>Null when this engine knows the version.</returns>
    /// <exception cref="SchemaTooNewException">This engine may not even finish what it runs.</exception>
    internal SchemaTooNewException? Newer(SqliteDatabase database) => Newer(database, out _);

    /// <summary>Before tables are read that a newer version of Errand may have upgraded.</summary>
    /// <exception cref="SchemaTooNewException">This engine would misread them.</exception>
    internal void CheckReadable(SqliteDatabase database)
    {
        if (!HasMeta(database) || database.Statement(ReaderSql).Scalar() is not { } reader || reader <= Version)
        {
            return;
        }

        throw Newer(database) ?? TooNew(reader);
    }

    /// <summary>Brings the tables up to date, in one transaction.</summary>
    /// <param name="database">The connection.</param>
    /// <param name="beforeCommit">Called when the tables are changed, before that is committed.</param>
    internal void Migrate(SqliteDatabase database, Action beforeCommit)
    {
        if (Identify(database) == Version)
        {
            return;
        }

        database.Execute("begin immediate");
        try
        {
            // Again, now that nobody else can: another process may have been first.
            for (var version = Identify(database); version < Version; version++)
            {
                database.Execute(migrations[version].Sql);
            }

            var last = migrations[^1];
            database.Statement(WriteMetaSql).With(Version).With(last.Reader).With(last.Writer).Execute();
            beforeCommit();
            database.Execute("commit");
        }
        catch
        {
            if (database.IsInTransaction)
            {
                database.Execute("rollback");
            }

            throw;
        }
    }

    // language=sqlite
    internal const string SelectSchemaSql =
        "select type || ' ' || name || char(10) || sql from sqlite_schema where sql is not null order by type, name";

    /// <summary>
    /// The tables and indexes as this engine makes them: one text for each, its kind and name, then its definition.
    /// </summary>
    internal List<string> Expected()
    {
        using var model = SqliteDatabase.Open(":memory:", store, null);
        foreach (var migration in migrations)
        {
            model.Execute(migration.Sql);
        }

        return model.Texts(SelectSchemaSql);
    }

    private SchemaTooNewException? Newer(SqliteDatabase database, out int version)
    {
        version = 0;
        if (!HasMeta(database))
        {
            return null;
        }

        var row = database.Statement(ReadMetaSql);
        if (!row.Step() || row.Int64(3) != 1)
        {
            row.Reset();
            throw NotOurs("it does not have one row");
        }

        version = row.Int32(0);
        var writer = row.Int32(2);
        row.Reset();
        if (version <= Version)
        {
            return null;
        }

        var newer = TooNew(version);
        return Version < writer ? throw newer : newer;
    }

    private SchemaTooNewException TooNew(long version) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"{store} has schema version {version}, but this version of Errand knows versions up to {Version}. Update "
        + $"the Errand packages of this program; the database was not changed."));

    private bool HasMeta(SqliteDatabase database)
    {
        var row = database.Statement(HasMetaSql);
        row.Step();
        var (columns, ours) = (row.Int64(0), row.Int64(1));
        row.Reset();
        return columns == 0 ? false : ours == 3 ? true : throw NotOurs("it has other columns");
    }

    private NotAnErrandDatabaseException NotOurs(string why) => new(
        $"{store} has a table 'errand_meta' that is not Errand's: {why}. Rename that table, or choose another path; the database was "
        + "not changed.");
}
