using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class PromotionOrderFileTests : PromotionOrder<SqliteFull>;

public sealed class PromotionOrderMemoryTests : PromotionOrder<SqliteMemory>;

/// <summary>Among more due tasks than one turn promotes, the highest priority starts first.</summary>
public abstract class PromotionOrder<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private static NewTask[] Many(int count, Func<int, string> name) => [.. Enumerable.Range(0, count).Select(i => Task1(name(i)))];

    [Fact]
    public async Task Among_many_tasks_due_at_one_time_the_urgent_one_starts_first()
    {
        var backend = Timed();
        var tasks = Many(3_000, _ => "a").Select(task => task with { Delay = TimeSpan.FromSeconds(5) }).ToArray();
        tasks[2_500] = tasks[2_500] with { Priority = 100 };
        tasks[2_900] = tasks[2_900] with { Priority = -100 };
        var ids = (await backend.EnqueueAsync(tasks, Token)).Select(one => one.Id).ToArray();
        Clock.Advance(TimeSpan.FromSeconds(5));
        var owner = await BeginAsync(backend);

        Assert.Equal(ids[2_500], (await TakeOneAsync(backend, owner)).Lease.Id);
        List<TaskId> rest = [];
        while (await TakeAsync(backend, owner, max: 500) is { Count: > 0 } some)
        {
            rest.AddRange(some.Select(task => task.Lease.Id));
        }

        Assert.Equal(2_999, rest.Count);
        Assert.Equal(ids[2_900], rest[^1]);
    }

    [Fact]
    public async Task Among_many_overdue_tasks_an_urgent_one_that_was_due_later_starts_first()
    {
        var backend = Timed();
        var tasks = Many(3_000, _ => "a").Select((task, i) => task with { Delay = TimeSpan.FromMilliseconds(1 + i) }).ToArray();
        tasks[^1] = tasks[^1] with { Priority = 100 };
        var ids = (await backend.EnqueueAsync(tasks, Token)).Select(one => one.Id).ToArray();
        Clock.Advance(TimeSpan.FromSeconds(5));
        var owner = await BeginAsync(backend);

        Assert.Equal(ids[^1], (await TakeOneAsync(backend, owner)).Lease.Id);
    }
}
