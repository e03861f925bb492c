using System.Diagnostics;
using Errand.Contract;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>How soon a process without a worker hears of a result.</summary>
public sealed class ResultLatencyTests : SharedStoreTest<SqliteFull>
{
    /// <summary>The bound is ten times the promise, and half of what a process without a worker once needed.</summary>
    [Fact]
    public async Task A_result_is_heard_of_long_before_the_fallback_poll()
    {
        var backend = Live();
        await using var other = Store.CreateBeside(backend);
        var owner = await BeginAsync(other);
        List<TimeSpan> delays = [];
        for (var i = 0; i < 9; i++)
        {
            var id = await AddAsync(backend);
            var waiting = backend.GetResultAsync(id, Eventually.Bound, Token).AsTask();
            var task = Assert.Single(await other.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token));
            await Task.Delay(150, Token); // So long that the caller's process has stopped looking often.
            Assert.True(await other.MarkSuccessAsync(task.Lease, default, Token));
            var began = Stopwatch.GetTimestamp();
            Assert.Equal(TaskState.Succeeded, (await waiting)!.State);
            delays.Add(Stopwatch.GetElapsedTime(began));
        }

        Assert.InRange(delays.Order().ElementAt(4), TimeSpan.Zero, TimeSpan.FromMilliseconds(400));
    }
}
