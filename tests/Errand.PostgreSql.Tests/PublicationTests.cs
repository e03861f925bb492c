using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>
/// A publication for all tables: the server then refuses to update or delete a row of a table without a replica identity, so
/// each table of the schema has a primary key.
/// </summary>
public sealed class PublicationTests(PostgresServer server) : IAsyncLifetime
{
    private readonly string _database = PostgresServer.NewSchema();
    private string _connectionString = "";

    public async ValueTask InitializeAsync()
    {
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create database {_database}");
        _connectionString = new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Database = _database }.ConnectionString;
    }

    public async ValueTask DisposeAsync() => await PostgresServer.ExecuteAsync(
        server.ConnectionString(), $"drop database {_database} with (force)");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Tasks_run_with_a_publication_for_all_tables_made_before_or_after_the_first_use(bool before)
    {
        await using var backend = new PostgresBackend(_connectionString);
        if (!before)
        {
            await backend.InitializeAsync();
        }

        await PostgresServer.ExecuteAsync(_connectionString, "create publication everything for all tables");
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Count, int>((count, _) => count.Number));
        await worker.StartAsync();

        Assert.Equal(1, await (await queue.EnqueueAsync(new Count(1))).WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Every_table_has_a_primary_key()
    {
        await using var backend = new PostgresBackend(_connectionString);
        await backend.InitializeAsync();

        Assert.Equal("", await PostgresServer.ExecuteAsync(
            _connectionString,
            """
            select coalesce(string_agg(relname, ', '), '')
            from   pg_class c
            where  relkind = 'r' and relnamespace = 'errand'::regnamespace
            and    not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
            """));
    }
}
