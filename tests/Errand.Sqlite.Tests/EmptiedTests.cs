using Errand.Contract;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>What others change by hand: all tables are emptied between two tests while the host runs, or the counter is set.</summary>
public sealed class EmptiedTests : SharedStoreTest<SqliteFull>
{
    private static readonly string[] Tables =
    [
        "errand_names", "errand_tasks", "errand_finished", "errand_attempts", "errand_logs", "errand_progress", "errand_unique_periods",
        "errand_paused_queues", "errand_workers", "errand_worker_names", "errand_counters",
    ];

    [Fact]
    public async Task A_backend_whose_tables_were_emptied_works_on_and_others_read_what_it_writes()
    {
        var backend = Live();
        var owner = await BeginAsync(backend, names: "a");
        var first = await AddAsync(backend, Task1("a", "mail"));
        Assert.Single(await TakeAsync(backend, owner, 1, "mail"));
        await using (var connection = await CallerAsync(backend))
        {
            foreach (var table in Tables)
            {
                await ExecuteAsync(connection, null, $"delete from {table}");
            }
        }

        Assert.False(backend.Heartbeat(owner));
        var next = await BeginAsync(backend, null, "b", "a");
        var ids = (await backend.EnqueueAsync([.. Enumerable.Range(0, 20_000).Select(_ => Task1("a", "mail"))], Token)).Select(one => one.Id);
        Assert.DoesNotContain(first, ids);
        var task = Assert.Single(await TakeAsync(backend, next, 1, "mail"));
        Assert.True(await backend.MarkSuccessAsync(task.Lease, "1"u8.ToArray(), Token));
        Assert.Equal("mail", (await backend.GetResultAsync(task.Lease.Id, TimeSpan.Zero, Token))!.Queue);
        await using var other = Store.CreateBeside(backend);
        Assert.Equal(("a", "mail"), await NamesAsync(other, task.Lease.Id));
        Assert.Equal(QueueOverview.CountLimit, (await InspectorOf(other).GetOverviewAsync(Token)).Count(TaskState.Pending));
    }

    [Fact]
    public async Task Ids_end_below_two_to_the_53_and_say_so()
    {
        var backend = Live();
        await AddAsync(backend);
        await using (var connection = await CallerAsync(backend))
        {
            await ExecuteAsync(connection, null, "update errand_counters set next_id = 9007199254740985");
        }

        await using var other = Store.CreateBeside(backend);
        var full = await Assert.ThrowsAsync<BackendException>(() => other.NewIdAsync(Token).AsTask());
        Assert.Contains("2^53", full.Message, StringComparison.Ordinal);
        Assert.False(full.IsTransient);
        Assert.InRange((await backend.NewIdAsync(Token)).Value, 1, 1L << 53); // Of the block that it has in hand.
    }

    private static async Task<(string Name, string Queue)> NamesAsync(IBackend backend, TaskId id) =>
        (await FoundAsync(backend, id)) is var task ? (task.Name, task.Queue) : default;
}
