using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace Errand.PostgreSql.Data;

/// <summary>Where the tasks are, and how connections are opened: checked, created and migrated where needed.</summary>
internal sealed partial class PostgresStore
{
    /// <summary>
    /// In seconds: a server that lives and is only slow has this long to accept a connection, however short calls may
    /// wait.
    /// </summary>
    private const int ShortestConnectTimeout = 3;

    /// <summary>
    /// How long a turn waits for a lock, in milliseconds: turns of others hold one for less, and open transactions for
    /// longer.
    /// </summary>
    internal const string LockTimeout = "250";

    private readonly NpgsqlConnectionStringBuilder _connection;
    private readonly NpgsqlDataSource? _source; // Gives passwords and callbacks, not connections; null where the text has all.
    private readonly string _application;
    private readonly string _schema;
    private readonly string _prefix;
    private readonly int _connectTimeout; // In seconds.
    private readonly ConcurrentDictionary<string, string> _sql =
        new(ReferenceEqualityComparer.Instance as IEqualityComparer<string>);

    internal PostgresStore(string connectionString, NpgsqlDataSource? source, PostgresBackendOptions options)
    {
        _source = source;
        _connection = Parse(connectionString);
        _application = _connection.ApplicationName ?? "errand";
        _schema = options.Schema;
        _prefix = $"\"{_schema}\".";
        CommandTimeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds);
        _connectTimeout = Math.Max(ShortestConnectTimeout, (int)Math.Ceiling(options.BusyTimeout.TotalSeconds));
        var database = _connection.Database ?? _connection.Username;
        Name = string.Create(
            CultureInfo.InvariantCulture,
            $"PostgreSQL at {Hosts()}, database '{database}', schema '{_schema}'");
        Schema = new Schema(this, options.Migrations ?? Migration.All);
    }

    /// <summary>Of several hosts, each may name a port of its own.</summary>
    private string Hosts() => string.Join(
        ", ",
        (_connection.Host ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(host => host.Contains(':', StringComparison.Ordinal) || host.StartsWith('/')
                ? host
                : string.Create(CultureInfo.InvariantCulture, $"{host}:{_connection.Port}")));

    /// <summary>How the schema is made, and what this engine may do with it.</summary>
    internal Schema Schema { get; }

    /// <summary>The store's name in messages: never with a user or a password.</summary>
    internal string Name { get; }

    internal string SchemaName => _schema;

    /// <summary>The host, or the folder of a Unix socket; null if there are several.</summary>
    internal string? Address => Host is { Length: > 0 } host && !host.Contains(',', StringComparison.Ordinal)
        ? host.StartsWith('/') ? host : host.Split(':')[0]
        : null;

    /// <summary>The TCP port; null for a Unix socket. A host may name its own.</summary>
    internal int? Port =>
        Address is null or ['/', ..] ? null
        : Host.Split(':') is [_, var port] ? int.Parse(port, CultureInfo.InvariantCulture)
        : _connection.Port;

    private string Host => _connection.Host ?? "";

    /// <summary>The channel of its notifications, which also begins the names of its advisory locks.</summary>
    internal string Channel => "errand:" + _schema;

    /// <summary>In seconds.</summary>
    internal int CommandTimeout { get; }

    /// <summary>
    /// This store's own mark; empty until it was first opened. Written by the writer, read by any thread.
    /// </summary>
    internal string Mark { get; private set; } = "";

    /// <summary>Whether a commit waits for the disk. Written by the writer, read by any thread.</summary>
    internal bool IsDurable { get; private set; }

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]{0,47}$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    internal static partial Regex SchemaNames { get; }

    /// <summary>
    /// A statement with the schema's own name in place of the prefix <c>errand.</c>: the tables keep theirs,
    /// <c>errand_</c>. The schema's name was validated, and is quoted.
    /// </summary>
    internal string Sql(string constant) =>
        _sql.GetOrAdd(
            constant, static (sql, prefix) => sql.Replace("errand.", prefix, StringComparison.Ordinal), _prefix);

    /// <summary>Opens a connection for one purpose, which the server shows as the application's name.</summary>
    /// <exception cref="BackendException">The server cannot be reached, or refuses.</exception>
    internal async Task<NpgsqlConnection> OpenAsync(string purpose, CancellationToken cancellationToken)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await CreateAsync(purpose, prepared: 0, cancellationToken).ConfigureAwait(false);
            await OpenInTimeAsync(connection, cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch (Exception e)
        {
            await DisposeAsync(connection).ConfigureAwait(false);
            if (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, Name);
            }

            throw;
        }
    }

    /// <summary>
    /// Npgsql's own limit holds for each way that it tries, encrypted and not; this one for all of them.
    /// </summary>
    private static async Task OpenInTimeAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(connection.ConnectionTimeout));
        try
        {
            await connection.OpenAsync(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"No connection within {connection.ConnectionTimeout} seconds.", e);
        }
    }

    /// <summary>The same without the thread pool, for the heartbeat.</summary>
    internal NpgsqlConnection Open(string purpose)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = Create(purpose);
            connection.Open();
            return connection;
        }
        catch (Exception e)
        {
            connection?.Dispose();
            if (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, Name);
            }

            throw;
        }
    }

    /// <summary>
    /// Opens the connection of the turns, and brings the schema up to date. Behind a pooler that gives a server's
    /// connection to others between two transactions nothing may be prepared, and nothing listens.
    /// </summary>
    internal async Task<Session> OpenForTurnsAsync(Session? previous, CancellationToken cancellationToken)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await CreateAsync("turns", prepared: 64, cancellationToken).ConfigureAwait(false);
            await OpenInTimeAsync(connection, cancellationToken).ConfigureAwait(false);
            var isPooled = await IsPooledAsync(connection, cancellationToken).ConfigureAwait(false);
            if (isPooled)
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                connection = await CreateAsync("turns", prepared: 0, cancellationToken).ConfigureAwait(false);
                await OpenInTimeAsync(connection, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await ExecuteAsync(connection, PlannerSql, cancellationToken).ConfigureAwait(false);
            }

            var mark = await Schema.MigrateAsync(connection, isRunning: Mark.Length > 0, cancellationToken)
                .ConfigureAwait(false);
            await SetUpAsync(connection, isPooled, cancellationToken).ConfigureAwait(false);
            Mark = mark.Store;
            IsDurable = mark.IsDurable;
            var session = new Session(connection, isPooled, mark, previous)
            {
                MayVacuum = await ExecuteAsync(connection, Sql(MayVacuumSql), cancellationToken).ConfigureAwait(false)
                    is not false,
            };
            session.SawIds(previous?.Mark.Store == mark.Store ? previous.Ids.Largest : 0);
            await SkipIdsAsync(connection, session.Ids.Largest, cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch (Exception e)
        {
            await DisposeAsync(connection).ConfigureAwait(false);
            if (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, Name);
            }

            throw;
        }
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage(
        "Design", "MA0054:Embed the caught exception as innerException",
        Justification = "The cause may repeat a part of what was given, and that may be a password.")]
    private static NpgsqlConnectionStringBuilder Parse(string connectionString)
    {
        const string remedy = "It looks like Host=server;Database=app;Username=app;Password=...; see "
            + "https://www.npgsql.org/doc/connection-string-parameters.html.";
        if (connectionString.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase)
            || connectionString.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException(
                "The connection string is a URI, which Npgsql does not read. Write its parts as keywords. " + remedy,
                nameof(connectionString));
        }

        try
        {
            return new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new ArgumentException(
                $"The connection string cannot be read{KeywordOf(e)}. {remedy}", nameof(connectionString));
        }
    }

    /// <summary>
    /// What Npgsql says of a keyword, which it names without its value. Nothing else of it: it may repeat a part of what
    /// was given, and that may be a password.
    /// </summary>
    private static string KeywordOf(Exception exception) =>
        UnknownKeyword.Match(exception.Message) is { Success: true } match ? $": {match.Value}" : "";

    [GeneratedRegex(
        "^(Couldn't set [a-z ]{1,40}|Keyword not supported: '?[a-z ]{1,40}'?)",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1_000)]
    private static partial Regex UnknownKeyword { get; }

    private static ValueTask DisposeAsync(NpgsqlConnection? connection) => connection?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>
    /// A connection is kept by the part that uses it, never pooled: it has one purpose as long as its backend lives.
    /// </summary>
    private async ValueTask<NpgsqlConnection> CreateAsync(string purpose, int prepared, CancellationToken cancellationToken)
    {
        var settings = SettingsFor(purpose, prepared);
        if (_source is null)
        {
            return new NpgsqlConnection(settings);
        }

        var template = _source.CreateConnection();
        await using (template.ConfigureAwait(false))
        {
            return await template.CloneWithAsync(settings, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The same without the thread pool, for the heartbeat.</summary>
    private NpgsqlConnection Create(string purpose)
    {
        var settings = SettingsFor(purpose, prepared: 0);
        if (_source is null)
        {
            return new NpgsqlConnection(settings);
        }

        using var template = _source.CreateConnection();
        return template.CloneWith(settings);
    }

    private string SettingsFor(string purpose, int prepared) =>
        new NpgsqlConnectionStringBuilder(_connection.ConnectionString)
        {
            Pooling = false,
            Enlist = false,
            Multiplexing = false,
            ApplicationName = $"{_application} {purpose}",
            HostRecheckSeconds = 1, // Of several hosts: who is the primary now is asked again soon after a failover.
            MaxAutoPrepare = prepared,
            AutoPrepareMinUsages = 2,
            CommandTimeout = CommandTimeout,
            Timeout = _connection.Timeout == 0 ? _connectTimeout : Math.Min(_connection.Timeout, _connectTimeout),
            PersistSecurityInfo = false,
        }.ConnectionString;

    // language=postgresql
    private const string BackendPidSql = "select pg_backend_pid()";

    // A plan that is kept with its statement was made for the table as it was, and an empty one is scanned. Every statement of a turn
    // has an index in the order that it wants, so that neither a scan nor a sort is ever right. What is only discouraged counts as dear
    // enough to be compiled, which takes longer than any of them. language=postgresql
    internal const string PlannerSql = "set enable_seqscan = off; set enable_sort = off; set enable_mergejoin = off; set jit = off";

    /// <summary>The same for one transaction: behind a pooler, a session's settings would apply to other clients too.</summary>
    // language=postgresql
    internal const string LocalPlannerSql = """
        select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
               set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)
        """;

    // Each statement of a turn must see what was committed before it, whatever the database's own default is.
    // language=postgresql
    private const string SessionSql =
        $"set default_transaction_isolation = 'read committed'; set lock_timeout = {LockTimeout}";

    // language=postgresql
    private const string IsolationSql = "show default_transaction_isolation";

    /// <summary>After the migration, which waits for others as long as it takes.</summary>
    private async Task SetUpAsync(NpgsqlConnection connection, bool isPooled, CancellationToken cancellationToken)
    {
        if (!isPooled)
        {
            await ExecuteAsync(connection, SessionSql, cancellationToken).ConfigureAwait(false);
            return;
        }

        var level = (string)(await ExecuteAsync(connection, IsolationSql, cancellationToken).ConfigureAwait(false))!;
        if (level != "read committed")
        {
            throw new BackendException(
                $"{Name} is behind a pooler of transactions, and transactions are '{level}' there by default. Errand "
                + "needs 'read committed': alter role ... set default_transaction_isolation = 'read committed'.");
        }
    }

    // MAINTAIN is a privilege from version 17 on; its name is an error before. language=postgresql
    private const string MayVacuumSql = """
        select pg_has_role(c.relowner, 'usage') or pg_has_role(d.datdba, 'usage')
               or case
                      when current_setting('server_version_num')::int >= 170000
                      then has_table_privilege(c.oid, 'maintain')
                      else false
                  end
        from   pg_class c, pg_database d
        where  c.oid = 'errand.errand_tasks'::regclass and d.datname = current_database()
        """;

    /// <summary>No block that is given from now on holds an id that was given before.</summary>
    private async Task SkipIdsAsync(NpgsqlConnection connection, long largest, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Sql(TaskIds.SkipSql), connection) { Parameters = { new("largest", largest) } };
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<bool> IsPooledAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        (int)(await ExecuteAsync(connection, BackendPidSql, cancellationToken).ConfigureAwait(false))!
        != connection.ProcessID;

    private static async Task<object?> ExecuteAsync(
        NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection);
        await using (command.ConfigureAwait(false))
        {
            return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
