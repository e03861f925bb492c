using System.Data.Common;
using Errand.Bench.Crew;
using Errand.PostgreSql;
using Npgsql;

namespace Errand.Bench.Postgres;

/// <summary>The place of one sample on a server: a new schema, and gone when this is disposed.</summary>
internal sealed class ServerPlace(PostgresServer server, string schema) : IAsyncDisposable
{
    /// <summary>Errand there. Several at once are as several processes.</summary>
    internal OpenStore Open() => new(new PostgresBackend(
        server.ConnectionString, new PostgresBackendOptions { Schema = schema }));

    /// <summary>The same for another process.</summary>
    internal MemberPlace ForMember => new(Store.Postgres, server.ConnectionString, schema);

    /// <summary>Connections that are used by hand, all of them open, and tables made by a script.</summary>
    internal async Task<NpgsqlDataSource> ConnectAsync(int connections, string script)
    {
        var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString)
        {
            SearchPath = schema,
            Pooling = true,
            MaxPoolSize = connections,
            MaxAutoPrepare = 10,
            AutoPrepareMinUsages = 1,
        });
        var opening = Enumerable.Range(0, connections).Select(_ => source.OpenConnectionAsync().AsTask());
        foreach (var connection in await Task.WhenAll(opening))
        {
            await connection.DisposeAsync(); // To the pool.
        }

        await using var command = source.CreateCommand(script);
        await command.ExecuteNonQueryAsync();
        return source;
    }

    /// <summary>One connection of a stranger's, open.</summary>
    internal async Task<DbConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server.ConnectionString)
        {
            SearchPath = schema,
            Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Megabytes of a table with its indexes.</summary>
    internal async Task<double> SizeOfAsync(string table) =>
        await server.ExecuteAsync($"select pg_total_relation_size('{schema}.{table}')") is long bytes
            ? bytes / 1e6
            : throw new InvalidOperationException($"The size of '{table}' is not a number.");

    public async ValueTask DisposeAsync() => await server.ExecuteAsync($"drop schema {schema} cascade");
}
