using Errand.TestKit;

namespace Errand.Contract;

/// <summary>
/// Task names: tasks that a worker does not know never hold up those that it knows, however many there are. The bounds are far above
/// what it takes, and below a lease and the time of parking, which is what a starved task waited for.
/// </summary>
public abstract class NamesContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private const int Foreign = 2_500;

    private static NewTask[] Many(int count, Func<int, string> name, int priority = 0) =>
        [.. Enumerable.Range(0, count).Select(i => Task1(name(i)) with { Priority = priority })];

    private static async Task<IReadOnlyList<ReservedTask>> TakeSoonAsync(IBackend backend, WorkerId owner, int max = 1)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        return await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = max }, late.Token);
    }

    [Fact]
    public async Task A_known_task_behind_many_of_a_name_that_nobody_knows_starts_at_once()
    {
        var backend = Live();
        await backend.EnqueueAsync(Many(Foreign, _ => "x", priority: 5), Token);
        var id = await AddAsync(backend);
        var owner = await BeginAsync(backend, names: "a");

        Assert.Equal(id, Assert.Single(await TakeSoonAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task A_known_task_behind_many_names_that_nobody_knows_starts_at_once()
    {
        var backend = Live();
        await backend.EnqueueAsync(Many(Foreign, i => $"x{i}"), Token);
        var id = await AddAsync(backend, Task1("zz"));
        var owner = await BeginAsync(backend, null, "a", "zz");

        Assert.Equal(id, Assert.Single(await TakeSoonAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task A_known_task_behind_many_that_only_another_worker_knows_starts_at_once()
    {
        var backend = Live();
        var busy = await BeginAsync(backend, names: "b");
        await backend.EnqueueAsync(Many(Foreign, _ => "b"), Token);
        Assert.Single(await TakeSoonAsync(backend, busy));
        var owner = await BeginAsync(backend, names: "a");
        var waiting = TakeSoonAsync(backend, owner); // Before the task is there, and then after.

        var first = await AddAsync(backend);
        Assert.Equal(first, Assert.Single(await waiting).Lease.Id);
        var second = await AddAsync(backend);
        Assert.Equal(second, Assert.Single(await TakeSoonAsync(backend, owner)).Lease.Id);
        var urgent = (await backend.EnqueueAsync([Task1(), Task1() with { Priority = 9 }], Token))[1].Id;
        Assert.Equal(urgent, Assert.Single(await TakeSoonAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task Tasks_of_several_names_are_offered_in_one_order()
    {
        var backend = Live();
        var names = new[] { "c", "a", "b", "x" };
        var tasks = Enumerable.Range(0, 60).Select(i => Task1(names[i % 4]) with { Priority = i * 7 % 5 }).ToArray();
        var ids = (await backend.EnqueueAsync(tasks, Token)).Select(one => one.Id).ToArray();
        var owner = await BeginAsync(backend); // Knows all but x.

        List<TaskId> taken = [];
        while (await TakeAsync(backend, owner, max: 7) is { Count: > 0 } some)
        {
            taken.AddRange(some.Select(task => task.Lease.Id));
        }

        Assert.Equal(
            Enumerable.Range(0, 60).Where(i => i % 4 != 3).OrderByDescending(i => tasks[i].Priority).Select(i => ids[i]), taken);
    }

    [Fact]
    public async Task What_a_worker_does_not_know_waits_for_the_worker_that_does()
    {
        var backend = Live();
        var owner = await BeginAsync(backend, names: "a");
        var other = await BeginAsync(backend, names: "b");
        await backend.EnqueueAsync(Many(Foreign, _ => "b"), Token);
        Assert.Empty(await TakeAsync(backend, owner));

        var taken = 0;
        while (taken < Foreign)
        {
            taken += (await TakeSoonAsync(backend, other, max: 1_000)).Count;
        }

        Assert.Equal(0, (await InspectorOf(backend).GetOverviewAsync(Token)).Count(TaskState.Scheduled));
    }

    [Fact]
    public async Task Every_queue_of_a_pattern_is_served_among_hundreds_of_others()
    {
        var backend = Live();
        await backend.EnqueueAsync([.. Enumerable.Range(0, 1_200).Select(i => Task1(queue: i % 2 == 0 ? $"mail-{i}" : $"post-{i}"))], Token);
        var owner = await BeginAsync(backend);
        using var late = new CancellationTokenSource(Eventually.Bound);
        HashSet<string> queues = [];
        while (queues.Count < 600)
        {
            var request = From(owner, "mail-*") with { MaxTasks = 50, Wait = Timeout.InfiniteTimeSpan };
            queues.UnionWith((await backend.ReserveAsync(request, late.Token)).Select(task => task.Queue));
        }

        Assert.All(queues, queue => Assert.StartsWith("mail-", queue, StringComparison.Ordinal));
    }
}
