using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class InspectTests : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Tasks 1 and 2 have failed, 3 waits in the queue mail.</summary>
    public async ValueTask InitializeAsync()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["send"] }, Token);
        var task = new NewTask { Name = "send", Payload = "{}"u8.ToArray() };
        await backend.EnqueueAsync([task, task, task with { Queue = "mail", Name = "print" }], Token);
        foreach (var taken in await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 5 }, Token))
        {
            await backend.MarkFailureAsync(taken.Lease, "No \u001b[31mroute.\n   at X", null, Token);
        }

        await backend.EndWorkerAsync(owner, release: true, Token);
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string> SaysAsync(params string[] arguments)
    {
        var ended = await RunAsync(["tasks.db", .. arguments]);
        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        return ended.Output;
    }

    private Task<Ended> RunAsync(params string[] arguments) =>
        RunningProgram.RunAsync(_folder.Path, ["dotnet", Path.Join(Repository.Built("Inspect"), "Inspect.dll"), .. arguments]);

    [Fact]
    public async Task I_can_count_list_explain_retry_and_pause()
    {
        Assert.Equal(
            """
            default              Failed            2
            mail                 Pending           1
            1 tasks are called 'print', which no live worker knows.
            0 workers are alive.

            """,
            await SaysAsync());
        Assert.Equal(
            """
                   2 default              send                 Failed     attempt 1
                   1 default              send                 Failed     attempt 1

            """,
            await SaysAsync("list", "failed"));
        Assert.Equal(3, (await SaysAsync("list")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var failed = await SaysAsync("explain", "1");
        Assert.StartsWith("It failed for good at ", failed, StringComparison.Ordinal);
        Assert.EndsWith(", on attempt 1: No \uFFFD[31mroute. Retry it to run it again.\n", failed, StringComparison.Ordinal);

        Assert.Equal("It runs again.\n", await SaysAsync("retry", "1"));
        Assert.Equal("1 tasks run again.\n", await SaysAsync("retry"));
        Assert.Equal("'mail' is paused.\n", await SaysAsync("pause", "mail"));
        Assert.Equal("Its queue 'mail' is paused.\nNo worker is alive.\n", await SaysAsync("explain", "3"));
        Assert.Equal("'mail' goes on.\n", await SaysAsync("resume", "mail"));
    }

    [Theory]
    [InlineData("Usage:")]
    [InlineData("There is no file 'missing.db'.", "missing.db")]
    [InlineData("Usage:", "tasks.db", "dance")]
    [InlineData("There is no task 99", "tasks.db", "explain", "99")]
    [InlineData("not in a correct format", "tasks.db", "explain", "first")]
    [InlineData("holds the character U+0020", "tasks.db", "pause", "the mail")]
    public async Task What_makes_no_sense_is_said_and_makes_no_file(string error, params string[] arguments)
    {
        var ended = await RunAsync(arguments);
        Assert.Equal((2, ""), (ended.Code, ended.Output));
        Assert.Contains(error, ended.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("missing.db")));
    }
}
