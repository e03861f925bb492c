using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>The engine's own vacuum, and what it says of those who keep it from its work.</summary>
public sealed class VacuumTests(PostgresServer server)
{
    private const int OldSnapshot = 408;
    private const int VacuumRefused = 410;

    private readonly RecordingLogger<PostgresBackend> _log = new();
    private readonly PostgresBackendOptions _options = new()
    {
        Schema = PostgresServer.NewSchema(), OldSnapshot = TimeSpan.FromMilliseconds(1),
    };

    private async Task SettleManyAsync(PostgresBackend backend)
    {
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });
        await backend.EnqueueAsync([.. Enumerable.Repeat(new NewTask { Name = "a", Payload = "{}"u8.ToArray() }, 1_500)]);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 2_000, Wait = TimeSpan.Zero };
        while (await backend.ReserveAsync(request) is { Count: > 0 } tasks)
        {
            await Task.WhenAll(tasks.Select(task => backend.MarkSuccessAsync(task.Lease, default).AsTask()));
        }
    }

    private async Task<bool> WasVacuumedAsync() => (long)(await PostgresServer.ExecuteAsync(
        server.ConnectionString(),
        $"select vacuum_count from pg_stat_user_tables where relid = '{_options.Schema}.errand_tasks'::regclass"))! > 0;

    [Fact]
    public async Task Who_settles_many_tasks_vacuums_their_table()
    {
        await using var backend = new PostgresBackend(server.ConnectionString(), _options, _log);
        await SettleManyAsync(backend);
        await Eventually.TrueAsync(WasVacuumedAsync, "the table is vacuumed");
    }

    [Fact]
    public async Task A_transaction_that_holds_an_old_snapshot_is_named()
    {
        // In a database of its own, where no other test's transaction is older.
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create database {_options.Schema}");
        var connectionString = new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Database = _options.Schema }.ConnectionString;
        await using var backend = new PostgresBackend(connectionString, _options, _log);
        await backend.InitializeAsync();
        await using var old = new NpgsqlConnection(connectionString + ";Application Name=report of last year");
        await old.OpenAsync();
        await using var transaction = await old.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using (var look = new NpgsqlCommand("select 1", old, transaction))
        {
            await look.ExecuteScalarAsync();
        }

        await SettleManyAsync(backend);

        await Eventually.TrueAsync(() => _log.Has(OldSnapshot), "it is warned of");
        Assert.Contains(
            _log.Entries,
            entry => entry.Id == OldSnapshot
                && entry.Text.Contains($"{old.ProcessID}", StringComparison.Ordinal)
                && entry.Text.Contains("report of last year", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_user_who_may_not_vacuum_is_told_so_at_once_and_its_tasks_run()
    {
        await using (var owning = new PostgresBackend(server.ConnectionString(), _options))
        {
            await owning.InitializeAsync();
        }

        var role = await CreateRoleAsync();
        await using var backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Username = role, Password = "x" }.ConnectionString, _options, _log);

        await backend.EnqueueAsync([new NewTask { Name = "a", Payload = "{}"u8.ToArray() }]);

        await Eventually.TrueAsync(() => _log.Has(VacuumRefused), "it is warned of");
        await SettleManyAsync(backend);
        Assert.Single(_log.Entries, entry => entry.Id == VacuumRefused);
    }

    /// <summary>A user with what docs/postgresql.md lists for running tasks, and nothing more.</summary>
    private async Task<string> CreateRoleAsync()
    {
        var role = _options.Schema + "_user";
        await PostgresServer.ExecuteAsync(
            server.ConnectionString(),
            $"""
            create role {role} login password 'x';
            grant usage on schema {_options.Schema} to {role};
            grant select, insert, update, delete on all tables in schema {_options.Schema} to {role};
            grant usage, select on all sequences in schema {_options.Schema} to {role};
            """);
        return role;
    }

    [Fact]
    public async Task Another_users_transaction_that_holds_an_old_snapshot_is_named()
    {
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create database {_options.Schema}");
        var connectionString = new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Database = _options.Schema };
        var options = _options with { OldTransactions = 1 };
        await using (var owning = new PostgresBackend(connectionString.ConnectionString, options))
        {
            await owning.InitializeAsync();
        }

        var role = options.Schema + "_owner";
        await PostgresServer.ExecuteAsync(
            connectionString.ConnectionString,
            $"""
            create role {role} login password 'x';
            alter database {options.Schema} owner to {role};
            grant usage on schema {options.Schema} to {role};
            grant select, insert, update, delete on all tables in schema {options.Schema} to {role};
            grant usage, select on all sequences in schema {options.Schema} to {role};
            """);
        await using var old = new NpgsqlConnection(connectionString.ConnectionString);
        await old.OpenAsync();
        await using var transaction = await old.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using (var look = new NpgsqlCommand("select 1", old, transaction))
        {
            await look.ExecuteScalarAsync();
        }

        connectionString.Username = role;
        await using var backend = new PostgresBackend(connectionString.ConnectionString, options, _log);
        await SettleManyAsync(backend);

        await Eventually.TrueAsync(() => _log.Has(OldSnapshot), "it is warned of");
        Assert.Contains(
            _log.Entries, entry => entry.Id == OldSnapshot && entry.Text.Contains($"{old.ProcessID}", StringComparison.Ordinal));
    }
}
