using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>The call wins over what is configured for the type, that over its attribute, that over the defaults of all tasks.</summary>
public sealed class DefaultsTests : IAsyncDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly SqliteBackend _backend = new(":memory:");

    [TaskDefaults(Queue = "mail", MaxAttempts = 3, Timeout = "00:05:00", Priority = 7)]
    private record Send : ITask;

    private sealed record SendInvoice : Send;

    [TaskDefaults(Priority = -1)]
    private sealed record SendNewsletter : Send;

    [TaskDefaults(Queue = "a b", MaxAttempts = 0, Timeout = "5")]
    private sealed record Wrong : ITask;

    [TaskDefaults]
    private sealed record Plain : ITask;

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    [Fact]
    public async Task Without_any_everything_is_as_it_was()
    {
        Assert.Equal(("default", 0, null, 5), await EnqueuedAsync(new Ping()));
        Assert.Equal(("default", 0, null, 5), await EnqueuedAsync(new Plain()));
    }

    [Fact]
    public async Task A_type_has_those_of_its_attribute_or_of_its_base_type()
    {
        Assert.Equal(("mail", 7, 5 * Minute, 3), await EnqueuedAsync(new Send()));
        Assert.Equal(("mail", 7, 5 * Minute, 3), await EnqueuedAsync(new SendInvoice()));
        Assert.Equal(("default", -1, null, 5), await EnqueuedAsync(new SendNewsletter()));
    }

    [Fact]
    public async Task Each_value_is_looked_for_by_itself()
    {
        var options = new TaskQueueOptions
        {
            Defaults = new() { Queue = "all", Priority = 1, Timeout = Minute, Retry = RetryPolicy.Fixed(Minute, 9) },
        }.ConfigureDefaults<Send>(defaults => defaults with { Queue = "post" }).ConfigureDefaults<Send>(defaults => defaults with { Priority = 8 });

        Assert.Equal(("all", 1, Minute, 9), await EnqueuedAsync(new Ping(), null, options));
        Assert.Equal(("post", 8, 5 * Minute, 3), await EnqueuedAsync(new Send(), null, options));
        Assert.Equal(("mail", 7, 5 * Minute, 3), await EnqueuedAsync(new SendInvoice(), null, options)); // Of its base type the attribute alone.
        Assert.Equal(("all", -1, Minute, 9), await EnqueuedAsync(new SendNewsletter(), null, options));
        var call = new EnqueueOptions { Queue = "default", Priority = 0, Timeout = Timeout.InfiniteTimeSpan, Retry = RetryPolicy.None };
        Assert.Equal(("default", 0, null, 1), await EnqueuedAsync(new Send(), call, options));
    }

    /// <summary>Attempts alone leave the back-off to the policy of all tasks.</summary>
    [Fact]
    public async Task The_attempts_of_an_attribute_go_with_the_back_off_of_all_tasks()
    {
        var backend = new EnqueueOnly();
        await using var queue = new TaskQueue(
            backend.Over(_backend), new TaskQueueOptions { Defaults = new() { Retry = RetryPolicy.Fixed(Minute, 9) } });
        await queue.EnqueueAsync(new Send());
        Assert.Equal(RetryPolicy.Fixed(Minute, 3), Assert.Single(backend.Tasks).Retry);
    }

    [Fact]
    public async Task They_hold_for_many_tasks_and_in_a_transaction()
    {
        await using var queue = new TaskQueue(_backend);
        foreach (var handle in (IReadOnlyList<TaskHandle>)
            [.. await queue.EnqueueManyAsync([new Send()]), .. await queue.EnqueueManyAsync([new Send()], _ => new EnqueueOptions())])
        {
            Assert.Equal("mail", (await _backend.FindAsync(handle.Id))!.Queue);
        }

        using var folder = new TestKit.TemporaryFolder();
        await using var file = new SqliteBackend(folder.File("tasks.db"));
        await using var inFile = new TaskQueue(file);
        await inFile.InitializeAsync();
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={folder.File("tasks.db")};Pooling=False");
        await connection.OpenAsync();
        await using var transaction = connection.BeginTransaction();
        var inTransaction = await inFile.EnqueueAsync(new Send(), new EnqueueOptions { Transaction = transaction });
        await transaction.CommitAsync();
        Assert.Equal("mail", (await file.FindAsync(inTransaction.Id))!.Queue);
    }

    [Fact]
    public async Task Those_that_cannot_work_are_told_with_the_type()
    {
        await using var queue = new TaskQueue(_backend);
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => queue.EnqueueAsync(new Wrong()));
        Assert.Equal(
            [
                "Timeout is '5'; allowed is a duration such as 00:05:00",
                "Queue holds the character U+0020; allowed are 1 to 128 letters, digits and . _ - : /",
                "Retry.MaxAttempts is 0; allowed is 1 to 10,000",
            ],
            refused.Problems);
        Assert.StartsWith($"The defaults of '{typeof(Wrong).FullName}' has 3 problems:", refused.Message, StringComparison.Ordinal);

        var options = new TaskQueueOptions { Defaults = new() { Timeout = TimeSpan.Zero } }
            .ConfigureDefaults<Send>(defaults => defaults with { Queue = "" });
        refused = Assert.Throws<InvalidOptionsException>(() => new TaskQueue(_backend, options));
        Assert.Equal(
            [
                "Defaults.Timeout is 00:00:00; allowed is 1 ms to 30 days",
                $"ConfigureDefaults<{typeof(Send).FullName}>.Queue is empty; allowed are 1 to 128 letters, digits and . _ - : /",
            ],
            refused.Problems);
    }

    private async Task<(string Queue, int Priority, TimeSpan? Timeout, int? MaxAttempts)> EnqueuedAsync(
        ITask task, EnqueueOptions? options = null, TaskQueueOptions? queueOptions = null)
    {
        await using var queue = new TaskQueue(_backend, queueOptions);
        var handle = await queue.EnqueueAsync(task, options);
        var details = await _backend.FindAsync(handle.Id);
        return (details!.Queue, details.Priority, details.Timeout, details.MaxAttempts);
    }

    private sealed class EnqueueOnly
    {
        public List<NewTask> Tasks { get; } = [];

        public IBackend Over(IBackend backend) => FaultyBackend.Over(backend, (call, arguments) =>
        {
            if (call == nameof(IBackend.EnqueueAsync))
            {
                Tasks.AddRange((IReadOnlyList<NewTask>)arguments[0]!);
            }

            return null;
        });
    }
}
