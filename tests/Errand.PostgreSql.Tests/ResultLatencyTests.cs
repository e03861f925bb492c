using System.Diagnostics;
using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>A caller that waits in one process for a task that another one runs.</summary>
public sealed class ResultLatencyTests(PostgresServer server)
{
    /// <summary>Polling once a second would take half a second on the average.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_result_comes_long_before_the_fallback_poll(bool notifies)
    {
        var options = new PostgresBackendOptions { Schema = PostgresServer.NewSchema(), UseNotify = notifies };
        await using var web = new PostgresBackend(server.ConnectionString(), options);
        await using var other = new PostgresBackend(server.ConnectionString(), options);
        await using var queue = new TaskQueue(web);
        await using var worker = new TaskWorker(
            other,
            new TaskHandlers().Add<Count, int>(async (count, context) =>
            {
                await Task.Delay(count.Number, context.CancellationToken);
                return count.Number;
            }));
        await worker.StartAsync();
        var finished = new List<double>();
        for (var i = 0; i < 15; i++)
        {
            var handle = await queue.EnqueueAsync(new Count(50 + (i * 7)));
            await handle.WaitAsync(Eventually.Bound);
            var now = Stopwatch.GetTimestamp();
            var result = (await queue.GetResultAsync(handle.Id))!;
            finished.Add((DateTimeOffset.UtcNow - result.FinishedAt).TotalMilliseconds - Stopwatch.GetElapsedTime(now).TotalMilliseconds);
        }

        finished.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine($"median {finished[7]:F0} ms, longest {finished[^1]:F0} ms");
        Assert.InRange(finished[7], -100, 300);
    }
}
