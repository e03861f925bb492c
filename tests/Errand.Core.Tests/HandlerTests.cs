using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>Every shape of handler binds to the overload that waits for it.</summary>
public sealed class HandlerTests
{
    public static TheoryData<string> Shapes => ["sync", "task", "value-task", "method", "async-lambda"];

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task A_handler_with_a_result_is_waited_for_whatever_its_shape(string shape)
    {
        var handlers = shape switch
        {
            "sync" => new TaskHandlers().Add<Add, int>((task, _) => task.Left + task.Right),
            "task" => new TaskHandlers().Add<Add, int>((task, _) => Task.FromResult(task.Left + task.Right)),
            "value-task" => new TaskHandlers().Add<Add, int>((task, _) => ValueTask.FromResult(task.Left + task.Right)),
            "method" => new TaskHandlers().Add<Add, int>(SumAsync),
            _ => new TaskHandlers().Add<Add, int>(async (task, _) =>
            {
                await Task.Yield();
                return task.Left + task.Right;
            }),
        };
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync();

        Assert.Equal(5, await (await queue.EnqueueAsync(new Add(2, 3))).WaitAsync(TimeSpan.FromSeconds(30)));
    }

    private static async Task<int> SumAsync(Add task, TaskContext context)
    {
        await Task.Yield();
        return task.Left + task.Right;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task A_handler_without_a_result_is_waited_for_and_what_it_throws_fails_the_task(string shape)
    {
        var handlers = shape switch
        {
            "sync" => new TaskHandlers().Add<Ping>((task, _) => Throw(task.Text)),
            "task" => new TaskHandlers().Add<Ping>((task, _) => Task.Run(() => Throw(task.Text))),
            "value-task" => new TaskHandlers().Add<Ping>((task, _) => new ValueTask(Task.Run(() => Throw(task.Text)))),
            "method" => new TaskHandlers().Add<Ping>(ThrowLaterAsync),
            _ => new TaskHandlers().Add<Ping>(async (task, _) =>
            {
                await Task.Yield();
                Throw(task.Text);
            }),
        };
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync();
        var handle = await queue.EnqueueAsync(new Ping("boom"), new EnqueueOptions { Retry = RetryPolicy.None });

        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.Equal($"Task {handle.Id} ('ping') failed after 1 attempt: System.FormatException: boom", failed.Message);
        Assert.Contains(nameof(Throw), failed.Result.Error, StringComparison.Ordinal);
    }

    private static async Task ThrowLaterAsync(Ping task, TaskContext context)
    {
        await Task.Yield();
        Throw(task.Text);
    }

    private static void Throw(string text) => throw new FormatException(text);

    [Fact]
    public void A_payload_takes_one_handler()
    {
        var handlers = new TaskHandlers().Add<Ping>((_, _) => { });
        var twice = Assert.Throws<InvalidOperationException>(() => handlers.Add<Ping>((_, _) => { }));
        Assert.Equal("'Errand.Tests.Ping' (task name 'ping') has a handler already; each payload takes one.", twice.Message);
    }
}
