using System.Text;

namespace Errand.Contract;

/// <summary>What the tests of several behaviours have in common.</summary>
public abstract partial class StoreTest<TStore>
{
    protected NewTask ExpiringIn(TimeSpan time) => Task1() with { ExpiresAt = Clock.GetUtcNow() + time };

    protected static async Task<TaskState?> StateAsync(IBackend backend, TaskId id) =>
        (await backend.GetResultAsync(id, TimeSpan.Zero, Token))?.State;

    protected static async Task<TaskDetails> FoundAsync(IBackend backend, TaskId id) =>
        Assert.IsType<TaskDetails>(await InspectorOf(backend).FindAsync(id, Token));

    protected static async Task FailAsync(IBackend backend, TaskLease lease, string error, TimeSpan? retryAfter = null) =>
        Assert.True(await backend.MarkFailureAsync(lease, error, retryAfter, Token));

    /// <summary>Adds tasks that have failed for good, at their first attempt.</summary>
    protected static async Task<TaskId[]> AddFailedAsync(IBackend backend, WorkerId owner, string error, params NewTask[] tasks)
    {
        var enqueued = await backend.EnqueueAsync(tasks, Token);
        foreach (var task in await TakeAllAsync(backend, owner, tasks.Length, [.. tasks.Select(task => task.Queue).Distinct()]))
        {
            await FailAsync(backend, task.Lease, error);
        }

        return [.. enqueued.Select(one => one.Id)];
    }

    protected static async Task<QueueOverview> LookAsync(IBackend backend) =>
        await Assert.IsAssignableFrom<IQueueInspector>(backend.Control<IQueueInspector>()).GetOverviewAsync(Token);

    protected static IQueueInspector InspectorOf(IBackend backend) => Assert.IsAssignableFrom<IQueueInspector>(backend.Control<IQueueInspector>());

    /// <summary>What the pages of a list hold in all, from the newest to the last.</summary>
    private protected static async Task<List<TaskSummary>> ListAllAsync(
        IBackend backend, TaskFilter? filter = null, int limit = 50, Func<Task>? betweenPages = null)
    {
        List<TaskSummary> all = [];
        for (TaskId? before = null; ;)
        {
            var page = await InspectorOf(backend).ListAsync(filter, limit, before, Token);
            Assert.InRange(page.Tasks.Count, 0, limit);
            all.AddRange(page.Tasks);
            if (page.Next is null)
            {
                return all;
            }

            before = page.Next;
            if (betweenPages is not null)
            {
                await betweenPages();
            }
        }
    }

    /// <summary>500 tasks in all states, two queues and three names: what a list should say of each.</summary>
    private protected async Task<List<(TaskId Id, string Queue, string Name, TaskState State, string? Error)>> AddInAllStatesAsync(IBackend backend)
    {
        string[] names = ["a", "b", "c"];
        var later = new NewTask { Name = "", Payload = Json("1"), Delay = TimeSpan.FromSeconds(5) };
        var tasks = Enumerable.Range(0, 500).Select(i => (i % 7) switch
        {
            1 => later with { Delay = TimeSpan.FromDays(1) },
            6 => later with { ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromSeconds(10) },
            _ => Task1(),
        }).Select((task, i) => task with { Name = names[i % 3], Queue = i % 2 == 0 ? Defaults.Queue : "mail" }).ToArray();
        var enqueued = await backend.EnqueueAsync(tasks, Token);
        var owner = await BeginAsync(backend);
        var places = enqueued.Select((task, i) => (task.Id, i)).ToDictionary(place => place.Id, place => place.i);
        foreach (var (id, _) in places.Where(place => place.Value % 7 == 2))
        {
            Assert.Equal(CancelOutcome.Cancelled, await InspectorOf(backend).CancelAsync(id, Token));
        }

        foreach (var (lease, i) in (await TakeAllAsync(backend, owner, 500, Defaults.Queue, "mail")).Select(
            task => (task.Lease, places[task.Lease.Id])))
        {
            Assert.True((i % 7) switch
            {
                0 => await backend.ReleaseAsync(lease, Token),
                4 => await backend.MarkFailureAsync(lease, $"broken at {i % 5}", null, Token),
                5 => await backend.MarkSuccessAsync(lease, Json("1"), Token),
                _ => true, // It runs on.
            });
        }

        await PassAsync(backend, TimeSpan.FromSeconds(12), () => Assert.True(backend.Heartbeat(owner)));
        TaskState[] states =
        [
            TaskState.Pending, TaskState.Scheduled, TaskState.Cancelled, TaskState.Running, TaskState.Failed, TaskState.Succeeded,
            TaskState.Expired,
        ];
        return
        [
            .. tasks.Select((task, i) => (
                enqueued[i].Id, task.Queue, task.Name, states[i % 7], i % 7 == 4 ? $"broken at {i % 5}" : null)),
        ];
    }

    protected static async Task<string> CheckpointAsync(IBackend backend, TaskId id) =>
        Encoding.UTF8.GetString((await backend.ReadCheckpointAsync(id, Token)).Span);

    protected static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    /// <summary>A worker that is gone without a word: it ended while a handler of its was still running.</summary>
    protected static ValueTask LeaveAsync(IBackend backend, WorkerId owner) =>
        backend.EndWorkerAsync(owner, release: false, Token);
}
