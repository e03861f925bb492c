using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

public sealed class PoolerTests(PostgresServer server)
{
    [Fact]
    public async Task A_pooler_is_detected_and_nothing_is_prepared_or_listened_for()
    {
        var bouncer = await server.PoolerAsync();
        var logger = new RecordingLogger<PostgresBackend>();
        await using var backend = new PostgresBackend(
            bouncer.ConnectionString(0), new PostgresBackendOptions { Schema = PostgresServer.NewSchema() }, logger);
        for (var i = 0; i < 20; i++)
        {
            await backend.EnqueueAsync([new NewTask { Name = "a", Payload = "{}"u8.ToArray() }], TestContext.Current.CancellationToken);
        }

        Assert.True(logger.Has(406));
        Assert.Equal(0L, await PostgresServer.ExecuteAsync(bouncer.ConnectionString(0), "select count(*) from pg_prepared_statements"));
    }
}
