using Errand.PrivatePostgres;
using Npgsql;

namespace Errand.Bench.Postgres;

/// <summary>
/// The server of a run: the one that <c>ERRAND_TEST_POSTGRES</c> names by a connection string, else one that is started
/// for it and ends with it. Either way the run has a database of its own.
/// </summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>As <c>--backend</c> names it.</summary>
    internal const string Backend = "postgres";

    private static readonly string Database = $"errand_bench_{Environment.ProcessId}";

    // Room enough that neither a small cache nor a checkpoint in every case is what is measured; the rest is as
    // installed, autovacuum's nap of a minute above all.
    private static readonly string[] Settings = ["shared_buffers = 512MB", "max_wal_size = 4GB"];

    private readonly string? _given = Environment.GetEnvironmentVariable("ERRAND_TEST_POSTGRES");
    private PostgresCluster? _cluster;
    private string? _administration; // The connection string of the server's own database, once it is started.
    private int _places;

    internal string ConnectionString => new NpgsqlConnectionStringBuilder(Administration)
    {
        Database = Database,
    }.ConnectionString;

    private string Administration =>
        _administration ?? throw new InvalidOperationException("The server has not been started.");

    /// <returns>What it is, to be printed.</returns>
    internal async Task<string> StartAsync()
    {
        if (string.IsNullOrEmpty(_given))
        {
            _cluster = await PostgresCluster.StartAsync(Settings);
        }

        var found = _cluster?.ConnectionString() ?? _given;
        _administration = new NpgsqlConnectionStringBuilder(found) { Pooling = false }.ConnectionString;
        await ExecuteAsync(_administration, $"create database {Database}");
        return $"PostgreSQL {await ExecuteAsync(_administration, "show server_version")}";
    }

    /// <summary>A measurement in a place of its own.</summary>
    internal Func<Place, int, Task<double[]>> Measure(Func<ServerPlace, int, Task<double[]>> measure) =>
        async (_, tasks) =>
        {
            await using var place = await OpenPlaceAsync();
            return await measure(place, tasks);
        };

    /// <summary>A measurement with one metric, of a store that is open before the clock runs.</summary>
    internal Func<Place, int, Task<double[]>> Measure(Func<OpenStore, int, Task<double>> measure) =>
        Measure(async (ServerPlace place, int tasks) =>
        {
            await using var store = place.Open();
            await store.Queue.InitializeAsync();
            return [await measure(store, tasks)];
        });

    internal async Task<ServerPlace> OpenPlaceAsync()
    {
        if (_cluster is not null)
        {
            await ExecuteAsync("checkpoint"); // No case pays for what the one before has left to write.
        }

        var schema = $"bench_{++_places}";
        await ExecuteAsync($"create schema {schema}");
        return new ServerPlace(this, schema);
    }

    internal Task<object?> ExecuteAsync(string sql) => ExecuteAsync(ConnectionString, sql);

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
        else if (_administration is not null)
        {
            await ExecuteAsync(_administration, $"drop database if exists {Database} with (force)");
        }
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        return await command.ExecuteScalarAsync();
    }
}
