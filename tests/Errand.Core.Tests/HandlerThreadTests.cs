using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>Handlers that block run on threads of the worker's own: the pool is left to the rest of the program.</summary>
public sealed class HandlerThreadTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private readonly SqliteBackend _backend = new(":memory:");

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private sealed record Block(int Number) : ITask<bool>;

    [LongRunning]
    private sealed record Compute : ITask<bool>;

    private sealed record Wait : ITask<bool>;

    [LongRunning]
    private static Task<bool> WaitAsync(Wait task, TaskContext context) => Task.FromResult(Thread.CurrentThread.IsThreadPoolThread);

    private async Task<TaskWorker> StartAsync(TaskHandlers handlers, int concurrency = 32)
    {
        var worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { Concurrency = concurrency });
        await worker.StartAsync(TestContext.Current.CancellationToken);
        return worker;
    }

    [Fact]
    public async Task A_hundred_handlers_that_block_at_once_leave_the_pool_alone()
    {
        const int Count = 100;
        using var allRun = new Barrier(Count + 1);
        using var mayEnd = new ManualResetEventSlim();
        var handlers = new TaskHandlers().Add<Block, bool>((_, _) =>
        {
            allRun.SignalAndWait(Bound);
            mayEnd.Wait(Bound);
            return Thread.CurrentThread.IsThreadPoolThread;
        });
        await using var worker = await StartAsync(handlers, Count);
        await using var queue = new TaskQueue(_backend);
        var tasks = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => queue.EnqueueAsync(new Block(i))));

        var allDo = await Task.Factory.StartNew(() => allRun.SignalAndWait(Bound), TaskCreationOptions.LongRunning);
        var threads = ThreadPool.ThreadCount;
        mayEnd.Set();

        Assert.True(allDo);
        Assert.True(threads < Count, $"The pool has {threads} threads.");
        foreach (var task in tasks)
        {
            Assert.False(await task.WaitAsync(Bound));
        }
    }

    [Fact]
    public async Task Threads_are_used_again_and_what_is_set_on_one_stays_with_its_task()
    {
        var local = new AsyncLocal<int>();
        var threads = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        var handlers = new TaskHandlers().Add<Block, bool>((task, _) =>
        {
            threads.AddOrUpdate(Environment.CurrentManagedThreadId, 1, (_, count) => count + 1);
            var isClean = local.Value == 0;
            local.Value = task.Number + 1;
            SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
            return isClean;
        });
        await using var worker = await StartAsync(handlers, concurrency: 2);
        await using var queue = new TaskQueue(_backend);
        for (var i = 0; i < 50; i++)
        {
            Assert.True(await (await queue.EnqueueAsync(new Block(i))).WaitAsync(Bound));
        }

        Assert.Equal(50, threads.Values.Sum());
        Assert.InRange(threads.Count, 1, 3);
    }

    [Fact]
    public async Task A_handler_that_returns_a_task_is_on_the_pool_unless_it_or_its_payload_is_marked()
    {
        await using var worker = await StartAsync(new TaskHandlers()
            .Add<Block, bool>((_, _) => Task.FromResult(Thread.CurrentThread.IsThreadPoolThread))
            .Add<Compute, bool>((_, _) => Task.FromResult(Thread.CurrentThread.IsThreadPoolThread))
            .Add<Wait, bool>(WaitAsync));
        await using var queue = new TaskQueue(_backend);

        Assert.True(await (await queue.EnqueueAsync(new Block(1))).WaitAsync(Bound));
        Assert.False(await (await queue.EnqueueAsync(new Compute())).WaitAsync(Bound));
        Assert.False(await (await queue.EnqueueAsync(new Wait())).WaitAsync(Bound));
    }
}
