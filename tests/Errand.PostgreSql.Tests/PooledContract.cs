using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>The whole contract behind a pooler of transactions; callers' own transactions go to the server directly.</summary>
public sealed class PooledContract(PostgresServer server, PgBouncer bouncer) : PostgresContract(server), IClassFixture<PgBouncer>
{
    [Fact]
    public async Task A_pooler_is_detected_and_nothing_is_prepared_or_listened_for()
    {
        var logger = new RecordingLogger<PostgresBackend>();
        await using var backend = new PostgresBackend(
            bouncer.ConnectionString(0), new PostgresBackendOptions { Schema = PostgresServer.NewSchema() }, logger);
        for (var i = 0; i < 20; i++)
        {
            await AddAsync(backend);
        }

        Assert.True(logger.Has(406));
        Assert.Equal(0L, await PostgresServer.ExecuteAsync(bouncer.ConnectionString(0), "select count(*) from pg_prepared_statements"));
    }

    protected override string ConnectionString(int number) => bouncer.ConnectionString(number);
}
