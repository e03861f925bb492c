using System.Diagnostics;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

[Collection(nameof(Alone))]
public sealed class ConnectionPerCallTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Both are synced at each commit, in turns on the same disk. The naive way has its best case, one thread that meets nobody;
    /// ours has the callers that a queue is for. What is compared is the median of the rounds' ratios, not a time.
    /// </summary>
    [Fact]
    public async Task A_file_is_no_slower_than_a_connection_for_each_call()
    {
        const int Tasks = 320;
        const int Callers = 16;
        using var folder = new TemporaryFolder();
        var naive = folder.File("naive.db");
        FileTests.Execute(naive, "pragma journal_mode = wal; create table tasks (id integer primary key, state integer, payload blob)");
        await using var backend = new SqliteBackend(folder.File("errand.db"));
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(0), null, Token);
        var ratios = new List<double>();
        for (var round = 0; round < 7; round++)
        {
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < Tasks; i++)
            {
                FileTests.Execute(naive, "pragma synchronous = full; insert into tasks (state, payload) values (0, x'7B7D')");
            }

            var between = Stopwatch.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < Tasks / Callers; i++)
                {
                    await queue.EnqueueAsync(new Note(i), null, Token);
                }
            })));

            ratios.Add((double)(between - started) / (Stopwatch.GetTimestamp() - between));
        }

        var median = ratios.Order().ElementAt(ratios.Count / 2);
        Assert.True(median >= 1, $"Enqueueing was {median:F2} times as fast as the naive way.");
    }
}
