using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>The examples of docs/in-memory.md, as they stand there.</summary>
public sealed class InMemoryPageTests
{
    public sealed record SendWelcomeMail(string To) : ITask;

    [Fact]
    public async Task A_new_customer_gets_a_welcome_mail()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var sent = new List<string>();
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<SendWelcomeMail>((task, _) => sent.Add(task.To)));
        await worker.StartAsync();

        var handle = await queue.EnqueueAsync(new SendWelcomeMail("ada@example.org"));
        await handle.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal(["ada@example.org"], sent);
    }

    [Fact]
    public async Task Room_can_be_limited_and_watched()
    {
        var options = new SqliteBackendOptions
        {
            Retention = TimeSpan.FromMinutes(10),
            MaxDatabaseBytes = 256L * 1024 * 1024,   // beyond it, EnqueueAsync throws BackendFullException
        };
        await using var backend = new SqliteBackend(":memory:", options);

        SqliteStorage storage = await backend.GetStorageAsync();
        Assert.True(storage.UsedBytes > 0);
    }
}
