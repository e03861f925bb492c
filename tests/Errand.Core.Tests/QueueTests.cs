using System.Collections.Concurrent;
using System.Transactions;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>How a queue behaves beside what else its caller does.</summary>
public sealed class QueueTests : IAsyncDisposable
{
    private readonly SqliteBackend _backend = new(":memory:");
    private readonly TaskQueue _queue;

    public QueueTests() => _queue = new TaskQueue(_backend);

    public async ValueTask DisposeAsync() => await _backend.DisposeAsync();

    [Fact]
    public async Task An_ambient_transaction_that_errand_would_not_take_part_in_is_refused_with_the_remedy()
    {
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            var one = await Assert.ThrowsAsync<InvalidOperationException>(() => _queue.EnqueueAsync(new Ping()));
            var many = await Assert.ThrowsAsync<InvalidOperationException>(() => _queue.EnqueueManyAsync([new Ping()]));
            var each = await Assert.ThrowsAsync<InvalidOperationException>(
                () => _queue.EnqueueManyAsync([new Ping()], _ => new EnqueueOptions()));
            Assert.All([one, many, each], e =>
            {
                Assert.Contains("EnqueueOptions.Transaction", e.Message, StringComparison.Ordinal);
                Assert.Contains("TransactionScopeOption.Suppress", e.Message, StringComparison.Ordinal);
            });
            using var suppressed = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
            Assert.True((await _queue.EnqueueAsync(new Ping())).IsNew);
        }
    }

    [Fact]
    public async Task A_task_is_enqueued_by_its_common_type_and_structs_in_bulk()
    {
        ITaskPayload some = new Add(1, 2);
        Count[] counts = [new(1), new(2)];

        var one = await _queue.EnqueueAsync(some);
        var two = await _queue.EnqueueManyAsync(counts, new EnqueueOptions { Priority = 3 });

        await using var worker = new TaskWorker(
            _backend, new TaskHandlers().Add<Add, int>((add, _) => add.Left + add.Right).Add<Count, int>((count, _) => count.Number * 10));
        await worker.StartAsync();
        var values = await Task.WhenAll(((TaskHandle[])[one, .. two]).Select(ValueAsync));
        Assert.Equal([3, 10, 20], values);

        async Task<int> ValueAsync(TaskHandle handle) =>
            (await _queue.GetResultAsync(handle.Id, TimeSpan.FromSeconds(30)))?.GetValue<int>() ?? 0;
    }

    [Fact]
    public async Task A_handler_that_waits_for_another_task_without_a_free_slot_is_warned_of_once()
    {
        var log = new RecordingLogger<TaskWorker>();
        var handlers = new TaskHandlers()
            .Add<Ping>(async (_, _) =>
            {
                for (var i = 0; i < 2; i++)
                {
                    var child = await _queue.EnqueueAsync(new Add(1, 0));
                    await Assert.ThrowsAsync<TimeoutException>(() => child.WaitAsync(TimeSpan.FromMilliseconds(10)));
                }
            })
            .Add<Add, int>((task, _) => task.Left);
        await using var worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { Concurrency = 1 }, log);
        await worker.StartAsync();
        var other = await _queue.EnqueueAsync(new Add(2, 0));
        Assert.Equal(2, await other.WaitAsync(Eventually.Bound)); // Outside of a handler nobody is warned.
        Assert.False(log.Has(215));

        var parent = await _queue.EnqueueAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });
        await parent.WaitAsync(Eventually.Bound);

        Assert.Single(log.Entries, entry => entry.Id == 215);
    }

    [Fact]
    public async Task A_cancelled_enqueue_whose_backend_fails_it_later_leaves_no_unobserved_exception()
    {
        var unobserved = new ConcurrentQueue<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs args) => unobserved.Enqueue(args.Exception);
        TaskScheduler.UnobservedTaskException += Note;
        await AbandonAsync();
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        TaskScheduler.UnobservedTaskException -= Note;
        Assert.DoesNotContain(unobserved, e => e.ToString().Contains("no-such-folder", StringComparison.Ordinal));
    }

    /// <summary>In a method of its own, so that nothing on the stack holds what it leaves.</summary>
    private static async Task AbandonAsync()
    {
        await using var backend = new SqliteBackend(Path.Combine(Path.GetTempPath(), "no-such-folder", "tasks.db"));
        await using var queue = new TaskQueue(backend);
        for (var i = 0; i < 10; i++)
        {
            using var cancelling = new CancellationTokenSource();
            var enqueue = queue.EnqueueAsync(new Ping(), cancellationToken: cancelling.Token);
            await cancelling.CancelAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => enqueue);
        }
    }

    [TaskName("count")]
    private readonly record struct Count(int Number) : ITask<int>;
}
