using Errand.PrivatePostgres;
using Errand.TestKit;
using Npgsql;

namespace Errand.Samples.Tests;

public sealed class ChecksumsPostgresTests : IDisposable
{
    private readonly ChecksumsFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task I_can_keep_the_tasks_in_postgresql_and_kill_checksums_there_as_well()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        _fixture.AddMany(1_500);
        _fixture.AddLong(12); // So that it does not end between the look and the kill.
        var command = _fixture.Command("files", "--db", cluster.ConnectionString(), "--out", "out.sha256");
        using (var program = RunningProgram.Start(_fixture.Folder, command))
        {
            await Eventually.TrueAsync(
                async () => await CountFinishedAsync(cluster) >= 200, "200 are done", TimeSpan.FromMinutes(2));
            Assert.Equal(137, (await program.KillAsync()).Code);
        }

        var ended = await RunningProgram.RunAsync(_fixture.Folder, command); // Within the lease of the one that was killed.
        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        Assert.DoesNotContain("Password", ended.Output, StringComparison.Ordinal);
        await _fixture.AssertManifestAsync();
    }

    private static async Task<long> CountFinishedAsync(PostgresCluster cluster)
    {
        try
        {
            await using var source = NpgsqlDataSource.Create(cluster.ConnectionString() + ";Pooling=false");
            await using var command = source.CreateCommand("select count(*) from errand.errand_finished");
            return (long)(await command.ExecuteScalarAsync())!;
        }
        catch (PostgresException)
        {
            return 0; // The table is not there yet.
        }
    }
}
