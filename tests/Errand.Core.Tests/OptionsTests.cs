using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>Options that cannot work are refused where they are given, with every problem at once.</summary>
public sealed class OptionsTests
{
    private static readonly string LongName = new('x', 10_000);

    private static async Task<InvalidOptionsException> RefusedAsync(EnqueueOptions options)
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        return await Assert.ThrowsAsync<InvalidOptionsException>(() => queue.EnqueueAsync(new Ping(), options));
    }

    [Fact]
    public async Task Every_problem_of_enqueue_options_is_told_at_once()
    {
        var refused = await RefusedAsync(new EnqueueOptions
        {
            Id = default(TaskId),
            Queue = "",
            Delay = TimeSpan.FromSeconds(-1),
            DueAt = new DateTimeOffset(1969, 12, 31, 0, 0, 0, TimeSpan.Zero),
            Timeout = TimeSpan.Zero,
            Retry = new RetryPolicy { MaxAttempts = 0, Factor = 0.5, Jitter = double.NaN },
        });

        Assert.Equal(
            [
                "Id is 0; allowed is 1 to 2^53 - 1, from NewIdAsync",
                "Queue is empty; allowed are 1 to 128 letters, digits and . _ - : /",
                "Delay is -00:00:01; allowed is zero to 3,650 days",
                "DueAt is 12/31/1969 00:00:00 +00:00; allowed is years 1970 to 9999",
                "Timeout is 00:00:00; allowed is 1 ms to 30 days",
                "Delay and DueAt are both set; keep one",
                "Retry.MaxAttempts is 0; allowed is 1 to 10,000",
                "Retry.Factor is 0.5; allowed is 1 to 10",
                "Retry.Jitter is NaN; allowed is 0 to 1",
            ],
            refused.Problems);
        Assert.StartsWith("EnqueueOptions has 9 problems:\n- Id is 0; ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_name_is_described_and_not_repeated()
    {
        var refused = await RefusedAsync(new EnqueueOptions { Queue = LongName });
        Assert.Equal(
            "EnqueueOptions: Queue has 10,000 characters; allowed are 1 to 128 letters, digits and . _ - : /.", refused.Message);
    }

    [Theory]
    [InlineData("two words", "U+0020")]
    [InlineData("line\nbreak", "U+000A")]
    [InlineData("nul\0", "U+0000")]
    [InlineData("right\u202Eto-left", "U+202E")]
    [InlineData("'; drop table tasks", "U+0027")]
    public async Task A_character_that_is_not_allowed_in_a_name_is_named(string queue, string character)
    {
        var refused = await RefusedAsync(new EnqueueOptions { Queue = queue });
        Assert.Contains($"Queue holds the character {character}; allowed are", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_latest_due_time_and_the_longest_delay_are_taken_and_beyond_them_refused()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Ping(), new EnqueueOptions { DueAt = DateTimeOffset.MaxValue });
        await queue.EnqueueAsync(new Ping(), new EnqueueOptions { Delay = TimeSpan.FromDays(3650) });

        var refused = await RefusedAsync(new EnqueueOptions { Delay = TimeSpan.MaxValue });
        Assert.Contains("allowed is zero to 3,650 days", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_problem_of_worker_options_is_told_at_once()
    {
        await using var backend = new SqliteBackend(":memory:");

        var refused = Assert.Throws<InvalidOptionsException>(() => new TaskWorker(backend, new TaskHandlers(), new TaskWorkerOptions
        {
            Queues = [],
            Concurrency = 100_000,
            Lease = TimeSpan.FromSeconds(5),
            Heartbeat = TimeSpan.FromSeconds(10),
            ShutdownGrace = TimeSpan.FromSeconds(-1),
            MaxResultBytes = 0,
        }));

        Assert.Equal(
            [
                "Queues is 0; allowed is 1 to 100 names",
                "Concurrency is 100000; allowed is 1 to 10,000",
                "Lease is 00:00:05 but Heartbeat is 00:00:10; make the heartbeat at most half as long",
                "ShutdownGrace is -00:00:01; allowed is zero to 1 day",
                "MaxResultBytes is 0; allowed is 1 byte to 256 MiB",
            ],
            refused.Problems);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(10_001)]
    public async Task A_concurrency_out_of_range_is_refused(int concurrency)
    {
        await using var backend = new SqliteBackend(":memory:");
        var options = new TaskWorkerOptions { Concurrency = concurrency };
        Assert.Throws<InvalidOptionsException>(() => new TaskWorker(backend, new TaskHandlers(), options));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8_640_000_000)]
    public async Task A_lease_out_of_range_is_refused(long milliseconds)
    {
        await using var backend = new SqliteBackend(":memory:");
        var options = new TaskWorkerOptions { Lease = TimeSpan.FromMilliseconds(milliseconds), Heartbeat = TimeSpan.FromMilliseconds(10) };
        var refused = Assert.Throws<InvalidOptionsException>(() => new TaskWorker(backend, new TaskHandlers(), options));
        Assert.Contains("allowed is 500 ms to 1 day", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_problem_of_sqlite_options_is_told_at_once()
    {
        var refused = Assert.Throws<InvalidOptionsException>(() => new SqliteBackend(":memory:", new SqliteBackendOptions
        {
            Durability = (Durability)7, Retention = TimeSpan.Zero, BusyTimeout = TimeSpan.FromDays(1), MaxDatabaseBytes = 4,
        }));

        Assert.Equal(
            "SqliteBackendOptions has 4 problems:\n"
            + "- Durability is 7; allowed is Full or Relaxed.\n"
            + "- Retention is 00:00:00; allowed is 1 second to 3,650 days.\n"
            + "- BusyTimeout is 1.00:00:00; allowed is 1 ms to 10 minutes.\n"
            + "- MaxDatabaseBytes is 4; allowed is 1 MiB or more.",
            refused.Message);
    }

    [Fact]
    public async Task A_queue_of_too_small_or_large_payloads_is_refused()
    {
        await using var backend = new SqliteBackend(":memory:");
        Assert.Throws<InvalidOptionsException>(() => new TaskQueue(backend, new TaskQueueOptions { MaxPayloadBytes = 0 }));
        Assert.Throws<InvalidOptionsException>(() => new TaskQueue(backend, new TaskQueueOptions { MaxPayloadBytes = int.MaxValue }));
    }
}
