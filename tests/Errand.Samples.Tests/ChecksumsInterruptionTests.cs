using System.Globalization;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Samples.Tests;

public sealed class ChecksumsInterruptionTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    private readonly ChecksumsFixture _fixture = new();

    [Fact]
    public async Task I_can_kill_checksums_at_any_moment_and_it_ends_with_the_same_manifest()
    {
        _fixture.AddMany(3_000);
        _fixture.AddLong(12); // So that it does not end between the look and the kill.
        var seen = 0L;
        foreach (var moment in (long[])[300, 1_200, 2_400])
        {
            using var program = _fixture.Start();
            await Eventually.TrueAsync(() => (seen = _fixture.CountFinished()) >= moment, $"{moment} are done", Bound);
            var killed = await program.KillAsync();

            Assert.Equal(137, killed.Code);
            Assert.True(File.Exists(_fixture.Plan));
            Assert.False(File.Exists(_fixture.Manifest));
        }

        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        Assert.InRange(DoneBefore(ended), seen, _fixture.Files); // What was seen to be done is not done again.
        Assert.False(File.Exists(_fixture.Plan));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task I_can_kill_checksums_more_often_than_a_task_may_be_attempted()
    {
        _fixture.AddLong(12);
        for (var kill = 0; kill < 8; kill++)
        {
            using var program = _fixture.Start();
            await Eventually.TrueAsync(() => _fixture.CountStartedIn(program.Id) > 0, "one is being hashed", Bound);
            Assert.Equal(137, (await program.KillAsync()).Code);
        }

        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task I_can_kill_checksums_again_and_again_until_it_outruns_me()
    {
        _fixture.AddMany(400);
        Ended? ended = null;
        for (var patience = TimeSpan.FromMilliseconds(30); ended is null; patience *= 1.15)
        {
            using var program = _fixture.Start();
            if (program.EndsWithin(patience))
            {
                ended = await program.EndAsync();
            }
            else
            {
                await program.KillAsync();
            }

            Assert.True(patience < Bound, "It does not come to an end.");
        }

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
        Assert.Empty(Directory.GetFiles(_fixture.Folder, "*.plan*"));
        Assert.Empty(Directory.GetFiles(_fixture.Folder, "*.tmp"));
        Assert.Empty(Directory.GetFiles(_fixture.Folder, "*-worker-*"));
    }

    [Fact]
    public async Task I_can_stop_checksums_with_a_signal_and_go_on()
    {
        _fixture.AddMany(500);
        _fixture.AddLong(12);
        using var program = _fixture.Start();
        await Eventually.TrueAsync(() => _fixture.CountFinished() >= 100, "100 are done", Bound);
        var stopped = await program.TerminateAsync();

        Assert.Equal(130, stopped.Code);
        Assert.Contains("To go on, run it again", stopped.Output, StringComparison.Ordinal);
        Assert.Contains($"--db '{_fixture.Database}'", stopped.Output, StringComparison.Ordinal);
        Assert.Equal(0, _fixture.Query("select count(*) from errand_tasks where state = 12", SqliteOpenMode.ReadOnly));

        var ended = await _fixture.RunAsync();

        Assert.Equal(0, ended.Code);
        Assert.InRange(DoneBefore(ended), 100, _fixture.Files);
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task I_can_go_on_when_results_have_been_removed_meanwhile()
    {
        _fixture.AddMany(1_000);
        _fixture.AddLong(12);
        using (var program = _fixture.Start())
        {
            await Eventually.TrueAsync(() => _fixture.CountFinished() >= 500, "500 are done", Bound);
            Assert.Equal(137, (await program.KillAsync()).Code);
        }

        _fixture.Query("update errand_finished set finished = finished - 2 * 24 * 3600 * 1000", SqliteOpenMode.ReadWrite);
        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task A_file_that_vanishes_meanwhile_is_listed()
    {
        _fixture.AddMany(20);
        _fixture.AddLong(12);
        using (var program = _fixture.Start())
        {
            await Eventually.TrueAsync(() => _fixture.CountFinished() > 0, "one is done", Bound);
            Assert.Equal(137, (await program.KillAsync()).Code);
        }

        _fixture.Remove("zeros/9"); // The last in order.
        var ended = await _fixture.RunAsync();

        Assert.Equal(1, ended.Code);
        Assert.Equal("files/zeros/9: it is not there any more (3 attempts)\n", ended.Errors);
        await _fixture.AssertManifestAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"Root\":\"/")]
    [InlineData("{\"Root\":\"/\",\"Count\":2}\n{\"Id\":1,\"Path\":\"a\"}\n")]
    [InlineData("null\n")]
    [InlineData("{\"Root\":\"/\",\"Count\":1}\nnull\n")]
    public async Task A_torn_plan_does_not_count(string plan)
    {
        _fixture.AddMany(5);
        Assert.Equal(0, (await _fixture.RunAsync()).Code);
        await WritePlanAsync(plan);
        await File.WriteAllTextAsync(_fixture.Plan + ".tmp", "torn");

        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task A_plan_whose_database_was_taken_away_does_not_count()
    {
        _fixture.AddMany(5);
        await WritePlanAsync($"{{\"Root\":\"{_fixture.PathOf("")}\",\"Count\":1}}\n{{\"Id\":1,\"Path\":\"gone\"}}\n");

        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task A_database_in_the_middle_of_another_folder_is_refused()
    {
        _fixture.AddMany(5);
        Assert.Equal(0, (await _fixture.RunAsync()).Code);
        await WritePlanAsync("{\"Root\":\"/elsewhere\",\"Count\":0}\n");

        var ended = await _fixture.RunAsync();

        Assert.Equal(2, ended.Code);
        Assert.Contains("in the middle of /elsewhere", ended.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(_fixture.Plan));
    }

    public void Dispose() => _fixture.Dispose();

    private Task WritePlanAsync(string plan) =>
        File.WriteAllTextAsync(_fixture.Plan, plan);

    /// <summary>How much the program said, at its start, it had found done.</summary>
    private static long DoneBefore(Ended ended)
    {
        var line = ended.Output.Split('\n').Single(line => line.StartsWith("Done:", StringComparison.Ordinal));
        var number = line["Done:".Length..].TrimStart().Split(' ')[0];
        return long.Parse(number, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }
}
