using System.Globalization;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The README says what is so.</summary>
public sealed class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "README.md"));

    [Fact]
    public void The_table_of_defaults_is_the_defaults()
    {
        var worker = new TaskWorkerOptions();
        var retry = RetryPolicy.Default;
        string[] rows =
        [
            $"| attempts | {retry.MaxAttempts} |",
            $"| back-off | {retry.Delay.TotalSeconds} s doubling to {retry.MaxDelay.TotalHours} h, ± {retry.Jitter * 100} % jitter |",
            $"| handler timeout | none; a warning when one runs past {Defaults.LongRunningWarning.TotalHours} h |",
            "| concurrency | 4 per core, at least 32 |",
            $"| lease, heartbeat | {worker.Lease.TotalSeconds} s, {worker.Heartbeat.TotalSeconds} s |",
            $"| shutdown grace | {worker.ShutdownGrace.TotalSeconds} s |",
            $"| payload, result | {new TaskQueueOptions().MaxPayloadBytes >> 20} MiB each |",
            $"| retention of succeeded, cancelled and expired tasks | {new SqliteBackendOptions().Retention.TotalDays} day;",
            $"| history of a task | its last {Defaults.AttemptsKept} attempts |",
            $"| checkpoint | {Defaults.MaxCheckpointBytes >> 10} KiB |",
            $"| progress | stored at most every {Defaults.ProgressInterval.TotalSeconds} s |",
            $"| a handler counts as stuck | {Defaults.StuckAfter.TotalSeconds} s after its token was cancelled |",
            $"| fallback poll | {Defaults.PollInterval.TotalSeconds} s |",
            $"| a task whose name no live worker knows | parked for {Defaults.UnknownNameParking.TotalMinutes} min at a time,",
            $"| durability | `{new SqliteBackendOptions().Durability}` |",
            $"| queue, priority | `{Defaults.Queue}`, 0 (higher first) |",
        ];

        Assert.All(rows, row => Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{row}"), Readme, StringComparison.Ordinal));
        Assert.Equal(Math.Max(32, 4 * Environment.ProcessorCount), worker.Concurrency);
        Assert.Equal(2, retry.Factor);
        Assert.Equal(worker.MaxResultBytes, new TaskQueueOptions().MaxPayloadBytes);
    }

    [Fact]
    public void Every_file_that_the_readme_links_to_is_there()
    {
        var links = Readme.Split("](").Skip(1).Select(part => part.Split(')')[0]).Where(link => !link.StartsWith("http", StringComparison.Ordinal));
        Assert.All(links, link => Assert.True(File.Exists(Path.Combine(RepositoryRoot.Path, link)), link));
    }

    [Fact]
    public void The_first_program_has_at_most_fifteen_lines() =>
        Assert.InRange(File.ReadAllLines(Path.Combine(RepositoryRoot.Path, "samples", "hello.cs")).Length, 1, 15);
}
