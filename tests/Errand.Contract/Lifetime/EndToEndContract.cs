using System.Collections.Concurrent;

namespace Errand.Contract;

/// <summary>A queue and workers over the store.</summary>
public abstract class EndToEndContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_queue_and_four_workers_sharing_one_backend_run_2000_of_2000_tasks_each_exactly_once()
    {
        var backend = Live();
        var runs = new ConcurrentDictionary<int, int>();
        var handlers = new TaskHandlers().Add<Square, int>((task, _) =>
        {
            runs.AddOrUpdate(task.Number, 1, (_, count) => count + 1);
            return task.Number * task.Number;
        });
        await using var queue = new TaskQueue(backend);
        var workers = Enumerable.Range(0, 4).Select(_ => new TaskWorker(backend, handlers)).ToArray();
        await Task.WhenAll(workers.Select(worker => worker.StartAsync(Token)));

        var handles = await Task.WhenAll(Enumerable.Range(0, 2_000).Select(n => queue.EnqueueAsync(new Square(n), null, Token)));
        var squares = await Task.WhenAll(handles.Select(handle => handle.WaitAsync(TimeSpan.FromSeconds(60), Token)));

        Assert.Equal(Enumerable.Range(0, 2_000).Select(n => n * n), squares);
        Assert.Equal(2_000, runs.Count);
        Assert.All(runs.Values, count => Assert.Equal(1, count));
        foreach (var worker in workers)
        {
            await worker.DisposeAsync();
        }
    }

    [Fact]
    public async Task Workers_that_start_after_the_tasks_run_all_of_them()
    {
        var backend = Live();
        await using var queue = new TaskQueue(backend);
        var handles = await queue.EnqueueManyAsync(Enumerable.Range(0, 500).Select(n => new Square(n)), null, Token);
        var handlers = new TaskHandlers().Add<Square, int>((task, _) => Task.FromResult(task.Number + 1));
        await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Concurrency = 3 });
        await worker.StartAsync(Token);

        for (var n = 0; n < handles.Count; n++)
        {
            var result = await queue.GetResultAsync(handles[n].Id, TimeSpan.FromSeconds(30), Token);
            Assert.Equal(n + 1, result!.GetValue<int>());
        }
    }

    [Fact]
    public async Task I_can_call_with_ten_thousand_callers_at_once()
    {
        var backend = Live();
        await using var queue = new TaskQueue(backend);

        var handles = await Task.WhenAll(
            Enumerable.Range(0, 10_000).Select(n => Task.Run(() => queue.EnqueueAsync(new Square(n), null, Token))));

        Assert.Equal(10_000, handles.Select(handle => handle.Id).Distinct().Count());
    }
}

public sealed record Square(int Number) : ITask<int>;
