using System.Data;
using Npgsql;

namespace Errand.PostgreSql.Data;

/// <summary>
/// How the schema is made and upgraded, and what an engine may do with one that a newer engine has upgraded. A schema
/// that holds tables of somebody else's is shared with them: every table of ours is named <c>errand_...</c>.
/// </summary>
internal sealed class Schema(PostgresStore store, IReadOnlyList<Migration> migrations)
{
    /// <summary>The payload of the notification that an upgrade sends: who hears it looks at the schema.</summary>
    internal const string Upgraded = "upgraded";

    private const int OldestServer = 13;

    /// <summary>The version of the schema that this engine writes.</summary>
    internal int Version => migrations.Count;

    internal SchemaFit FitOf(SchemaMark mark) => mark switch
    {
        _ when mark.Version <= Version => SchemaFit.Current,
        _ when mark.Writer <= Version => SchemaFit.Draining,
        _ when mark.Reader <= Version => SchemaFit.ReadOnly,
        _ => SchemaFit.Unreadable,
    };

    internal SchemaTooNewException TooNew(int version) => new(
        $"{store.Name} has schema version {version}, but this version of Errand knows versions up to {Version}. Update "
        + "the Errand packages of this program; the database was not changed.");

    // From the tables of the catalog: to_regclass and its like may answer from a cache that a wait for a lock has made
    // stale. language=postgresql
    private const string HasMetaSql = """
        select exists (
            select
            from   pg_class c join pg_namespace n on n.oid = c.relnamespace
            where  n.nspname = @schema and c.relname = 'errand_meta')
        """;

    // language=postgresql
    internal const string ReadMarkSql = """
        select m.store || '/' || d.oid, m.version, m.reader, m.writer, current_setting('synchronous_commit')
        from   errand.errand_meta m, pg_database d
        where  d.datname = current_database()
        """;

    internal static SchemaMark ReadMark(NpgsqlDataReader row) =>
        new(row.GetString(0), row.GetInt32(1), row.GetInt32(2), row.GetInt32(3), row.GetString(4) != "off");

    // language=postgresql
    private const string LockSql = "select pg_advisory_xact_lock(hashtextextended(@name, 0))";

    // language=postgresql
    private const string HasSchemaSql = "select exists (select from pg_namespace where nspname = @schema)";

    // language=postgresql
    private const string SetVersionSql =
        "update errand.errand_meta set version = @version, reader = @reader, writer = @writer";

    // language=postgresql
    private const string NotifyUpgradedSql = $"select pg_notify(@channel, '{Upgraded}')";

    /// <summary>Brings the schema up to this engine's version. A newer one is left alone.</summary>
    /// <param name="connection">An open connection.</param>
    /// <param name="isRunning">
    /// Whether this backend has used the schema before: then it may finish what it runs.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SchemaTooNewException">The schema is newer than this engine may use.</exception>
    internal async Task<SchemaMark> MigrateAsync(
        NpgsqlConnection connection, bool isRunning, CancellationToken cancellationToken)
    {
        if (connection.PostgreSqlVersion.Major < OldestServer)
        {
            throw new BackendException(
                $"{store.Name} is version {connection.PostgreSqlVersion}; Errand needs {OldestServer} or later.");
        }

        var mark = await ReadMarkAsync(connection, isRunning, cancellationToken).ConfigureAwait(false);
        if (mark?.Version >= Version)
        {
            return mark;
        }

        await UpgradeAsync(connection, isRunning, cancellationToken).ConfigureAwait(false);
        return await ReadMarkAsync(connection, isRunning, cancellationToken).ConfigureAwait(false)
            ?? throw new BackendException($"{store.Name} was removed while it was opened.", isTransient: true);
    }

    private async Task UpgradeAsync(NpgsqlConnection connection, bool isRunning, CancellationToken cancellationToken)
    {
        // Whoever has waited for the lock must see what was done meanwhile.
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken)
            .ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            await RunAsync(LockSql, ("name", store.Channel)).ConfigureAwait(false);

            // Read it again, now that nobody else can: another process may have been first.
            var mark = await ReadMarkAsync(connection, isRunning, cancellationToken).ConfigureAwait(false);
            var version = mark?.Version ?? 0;
            if (version >= Version)
            {
                return;
            }

            if (mark is null
                && await RunAsync(HasSchemaSql, ("schema", store.SchemaName)).ConfigureAwait(false) is not true)
            {
                await RunAsync($"create schema \"{store.SchemaName}\"").ConfigureAwait(false);
            }

            foreach (var migration in migrations.Skip(version))
            {
                await ApplyAsync(migration).ConfigureAwait(false);
            }

            var newest = migrations[^1];
            await RunAsync(
                store.Sql(SetVersionSql), ("version", Version), ("reader", newest.Reader), ("writer", newest.Writer))
                .ConfigureAwait(false);
            if (mark is not null)
            {
                await RunAsync(NotifyUpgradedSql, ("channel", store.Channel)).ConfigureAwait(false);
            }

            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        async Task ApplyAsync(Migration migration)
        {
            try
            {
                await RunAsync(store.Sql(migration.Sql)).ConfigureAwait(false);
            }
            catch (PostgresException e)
                when (e.SqlState is PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateFunction)
            {
                throw new NotAnErrandDatabaseException(
                    $"{store.Name} holds something else: {e.MessageText}. Choose another schema "
                    + "(PostgresBackendOptions.Schema); it was not changed.", e);
            }
        }

        async Task<object?> RunAsync(string sql, params (string Name, object Value)[] parameters)
        {
            var command = new NpgsqlCommand(sql, connection);
            foreach (var (name, value) in parameters)
            {
                command.Parameters.AddWithValue(name, value);
            }

            await using (command.ConfigureAwait(false))
            {
                return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <returns>Null when the schema is not there.</returns>
    private async Task<SchemaMark?> ReadMarkAsync(
        NpgsqlConnection connection, bool isRunning, CancellationToken cancellationToken)
    {
        var exists = new NpgsqlCommand(HasMetaSql, connection) { Parameters = { new("schema", store.SchemaName) } };
        await using (exists.ConfigureAwait(false))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
            {
                return null;
            }
        }

        var command = new NpgsqlCommand(store.Sql(ReadMarkSql), connection);
        await using (command.ConfigureAwait(false))
        {
            try
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                        ? Checked(ReadMark(reader), isRunning)
                        : throw Foreign("has no row");
                }
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedColumn)
            {
                throw Foreign(e.MessageText, e);
            }
        }
    }

    private SchemaMark Checked(SchemaMark mark, bool isRunning) => FitOf(mark) switch
    {
        SchemaFit.Current => mark,
        SchemaFit.Unreadable => throw TooNew(mark.Version),
        _ => isRunning ? mark : throw TooNew(mark.Version),
    };

    private NotAnErrandDatabaseException Foreign(string why, Exception? cause = null) => new(
        $"{store.Name} has a table 'errand_meta' of something else: {why}. Choose another schema "
        + "(PostgresBackendOptions.Schema); it was not changed.", cause);
}
