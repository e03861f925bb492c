using System.Text.Json;
using System.Text.Json.Serialization;
using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>Payloads and results that cannot be stored, and stored ones that cannot be read.</summary>
public sealed partial class SerializationTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private sealed record Big(string Text) : ITask;

    private sealed record Pointer(IntPtr Where) : ITask;

    private sealed record Loop : ITask
    {
        public Loop Self => this;
    }

    private sealed record Explosive : ITask
    {
        public int Value => throw new InvalidTimeZoneException("boom");
    }

    private sealed record Wish(string What) : ITask<object>;

    [JsonSerializable(typeof(Add))]
    [JsonSerializable(typeof(int))]
    private sealed partial class Context : JsonSerializerContext;

    [Fact]
    public async Task A_payload_over_the_limit_is_refused_with_its_size()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var text = new string('x', 1024 * 1024);

        var refused = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Big(text)));

        Assert.Equal(
            "The payload 'Big' has 1,048,587 bytes of JSON; the limit is 1,048,576. Store the data elsewhere and pass its key, "
            + "or raise the limit in the options.",
            refused.Message);
        await queue.EnqueueAsync(new Big(text[..^11]));
    }

    [Fact]
    public async Task A_payload_that_cannot_be_written_is_refused_with_the_reason()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);

        foreach (var task in (ITask[])[new Pointer(1), new Loop(), new Explosive()])
        {
            var refused = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(task));
            Assert.StartsWith($"The payload '{task.GetType().Name}' cannot be written as JSON: ", refused.Message, StringComparison.Ordinal);
            Assert.NotNull(refused.InnerException);
        }

        await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueManyAsync([new Ping(), new Loop()]));
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = Bound, TaskNames = ["ping"] });
        Assert.Empty(await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 9, Wait = TimeSpan.Zero }));
    }

    [Theory]
    [InlineData("pointer", "The result 'Object' cannot be written as JSON: ")]
    [InlineData("large", "The result 'Object' has 1,048,582 bytes of JSON; the limit is 1,048,576.")]
    public async Task A_result_that_cannot_be_stored_fails_the_task_once_and_without_a_retry(string what, string reason)
    {
        var runs = 0;
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var handlers = new TaskHandlers().Add<Wish, object>((wish, _) =>
        {
            Interlocked.Increment(ref runs);
            return wish.What == "pointer" ? new { Where = (IntPtr)1 } : new string('x', 1024 * 1024 + 4);
        });
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync();

        var handle = await queue.EnqueueAsync(new Wish(what));
        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(Bound));

        Assert.Contains(reason, failed.Result.Error, StringComparison.Ordinal);
        Assert.Equal((1, 1), (failed.Result.Attempts, runs));
    }

    [Theory]
    [InlineData("{\"Left\":\"not a number\"}")]
    [InlineData("null")]
    [InlineData("[[[[")]
    [InlineData("")]
    [InlineData("{\"Left\":\"\\uD800\"}")]
    public async Task A_payload_that_cannot_be_read_fails_the_task_once_and_without_a_retry(string json)
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Add, int>((task, _) => task.Left));
        await worker.StartAsync();
        var bad = await backend.EnqueueAsync([new NewTask { Name = "add", Payload = System.Text.Encoding.UTF8.GetBytes(json) }]);
        var good = await queue.EnqueueAsync(new Add(1, 2));

        var result = await queue.GetResultAsync(bad[0].Id, Bound);

        Assert.Equal((TaskState.Failed, 1), (result!.State, result.Attempts));
        Assert.Contains(nameof(JsonException), result.Error, StringComparison.Ordinal);
        Assert.Equal(1, await good.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_generated_context_serves_in_place_of_reflection_and_what_it_lacks_is_named()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend, new TaskQueueOptions { Json = Context.Default.Options });
        var handlers = new TaskHandlers().Add<Add, int>((task, _) => task.Left + task.Right);
        await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Json = Context.Default.Options });
        await worker.StartAsync();

        Assert.Equal(9, await (await queue.EnqueueAsync(new Add(4, 5))).WaitAsync(Bound));
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Ping()));
        Assert.Contains("add [JsonSerializable(typeof(Ping))] to the JsonSerializerContext", refused.Message, StringComparison.Ordinal);
    }
}
