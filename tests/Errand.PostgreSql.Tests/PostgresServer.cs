using Errand.PrivatePostgres;
using Errand.PostgreSql.Tests;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace Errand.PostgreSql.Tests;

/// <summary>
/// The server that the tests of this program share: the one that <c>ERRAND_TEST_POSTGRES</c> names by a connection string, else one
/// that is started for them. Each backend of a test has a schema of its own, in one database after the other.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly string[] Databases = ["errand_test_one", "errand_test_two"];

    private readonly string? _given = Environment.GetEnvironmentVariable("ERRAND_TEST_POSTGRES");
    private PostgresCluster? _cluster;
    private readonly SemaphoreSlim _poolerLock = new(1);
    private PgBouncer? _pooler; // Under the lock.
    private string _connectionString = "";

    public int Port => new NpgsqlConnectionStringBuilder(_connectionString).Port;

    public async ValueTask InitializeAsync()
    {
        if (string.IsNullOrEmpty(_given))
        {
            _cluster = await PostgresCluster.StartAsync();
        }

        _connectionString = _cluster?.ConnectionString() ?? _given!;
        foreach (var database in Databases)
        {
            await ExecuteAsync(_connectionString, $"drop database if exists {database}");
            await ExecuteAsync(_connectionString, $"create database {database}");
        }
    }

    /// <summary>A connection to one of the databases; consecutive numbers are different databases.</summary>
    public string ConnectionString(int number = 0) => new NpgsqlConnectionStringBuilder(_connectionString)
    {
        Database = Databases[number % Databases.Length], Pooling = false, Timeout = 5, IncludeErrorDetail = true,
    }.ConnectionString;

    /// <summary>The pooler before this server that the tests share. It starts with the first that asks for it.</summary>
    public async ValueTask<PgBouncer> PoolerAsync()
    {
        await _poolerLock.WaitAsync();
        try
        {
            if (_pooler is null)
            {
                var pooler = new PgBouncer(this);
                await pooler.InitializeAsync();
                _pooler = pooler;
            }

            return _pooler;
        }
        finally
        {
            _poolerLock.Release();
        }
    }

    /// <summary>A schema that nobody has used.</summary>
    public static string NewSchema() => $"s{Guid.NewGuid():N}";

    public static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        return await command.ExecuteScalarAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _poolerLock.Dispose();
        if (_pooler is not null)
        {
            await _pooler.DisposeAsync();
        }

        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
            return;
        }

        foreach (var database in Databases)
        {
            await ExecuteAsync(_connectionString, $"drop database if exists {database} with (force)");
        }
    }
}
