using System.Text.Json;
using System.Text.Json.Serialization;
using Errand.Sqlite;

namespace Errand.Tests;

/// <summary>Ordinary JSON options work, and what would not come back as it went is refused before it is stored.</summary>
public sealed class JsonTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly SqliteBackend _backend = new(":memory:");

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private enum Colour
    {
        Red,
        Green,
    }

    private sealed record Paint(Colour Colour, string Wall) : ITask<Colour>;

    public static TheoryData<JsonSerializerOptions> OrdinaryOptions =>
    [
        new JsonSerializerOptions(JsonSerializerDefaults.Web),
        new JsonSerializerOptions { Converters = { new JsonStringEnumConverter() } },
        JsonSerializerOptions.Web,
    ];

    [Theory]
    [MemberData(nameof(OrdinaryOptions), DisableDiscoveryEnumeration = true)]
    public async Task Ordinary_options_work_and_stay_the_callers(JsonSerializerOptions json)
    {
        await using var queue = new TaskQueue(_backend, new TaskQueueOptions { Json = json });
        var handlers = new TaskHandlers().Add<Paint, Colour>((task, _) => task.Wall == "north" ? task.Colour : Colour.Red);
        await using var worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { Json = json });
        await worker.StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(Colour.Green, await (await queue.EnqueueAsync(new Paint(Colour.Green, "north"))).WaitAsync(Bound));
        Assert.Equal(json == JsonSerializerOptions.Web, json.IsReadOnly);
    }

    private sealed record PrivateSetter : ITask
    {
        public string Name { get; private set; } = "";

        public static PrivateSetter Of(string name) => new() { Name = name };
    }

    private sealed class OtherConstructor : ITask
    {
        public OtherConstructor()
        {
        }

        public OtherConstructor(int number) => Number = number;

        public int Number { get; }
    }

    private sealed record Pair((int X, int Y) Point) : ITask;

    private sealed class Mismatch(int start) : ITask
    {
        public int Begin { get; } = start;
    }

    private interface IShape;

    private sealed record Draw(IShape Shape) : ITask;

    private sealed record Nested(IReadOnlyList<PrivateSetter> Names) : ITask;

    public static TheoryData<ITask, string> Losing => new()
    {
        { PrivateSetter.Of("ada"), "'PrivateSetter.Name' has no setter that JSON can use" },
        { new OtherConstructor(4), "'OtherConstructor.Number' has no setter that JSON can use" },
        { new Pair((1, 2)), ".Item1' is a field, and would be lost" },
        { new Mismatch(4), "'Mismatch' cannot be read from JSON: " },
        { new Draw(null!), "'IShape' cannot be read from JSON: " },
        { new Nested([]), "'PrivateSetter.Name' has no setter that JSON can use" },
    };

    [Theory]
    [MemberData(nameof(Losing), DisableDiscoveryEnumeration = true)]
    public async Task A_payload_that_would_lose_something_is_refused_when_it_is_enqueued(ITask task, string why)
    {
        await using var queue = new TaskQueue(_backend);
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(task));
        Assert.StartsWith($"The payload '{task.GetType().Name}' would not come back from JSON as it went: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        var overview = await _backend.GetOverviewAsync(TestContext.Current.CancellationToken);
        Assert.Empty(overview.Counts);
    }

    private sealed record Everything(int Number, string? Text, List<string> Names, Dictionary<string, int> Counts, DateTimeOffset When) : ITask
    {
        private readonly int _twice = Number * 2;

        public int Twice => _twice;

        public string Upper => Text?.ToUpperInvariant() ?? "";

        [JsonIgnore]
        public int Local { get; private set; }

        [JsonInclude]
        public string Kind { get; private set; } = "kind";

        [JsonIgnore]
        public int Field;

        public Everything? Child { get; init; }

        public Everything With(string kind)
        {
            Kind = kind;
            Local = 4;
            Field = 5;
            return this;
        }
    }

    [Fact]
    public async Task What_comes_back_or_is_computed_again_is_accepted()
    {
        await using var queue = new TaskQueue(_backend);
        var task = new Everything(1, "a", ["b"], new() { ["c"] = 2 }, DateTimeOffset.UnixEpoch) { Child = new Everything(2, null, [], [], default) };
        var seen = new TaskCompletionSource<Everything>();
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Everything>((one, _) => seen.SetResult(one)));
        await worker.StartAsync(TestContext.Current.CancellationToken);
        await (await queue.EnqueueAsync(task.With("other"))).WaitAsync(Bound);

        var read = await seen.Task;
        Assert.Equal((1, "a", "A", "other", 2), (read.Number, read.Text, read.Upper, read.Kind, read.Child!.Number));
    }

    private sealed record Make : ITask<PrivateSetter>;

    [Fact]
    public void A_worker_refuses_payloads_and_results_that_would_lose_something()
    {
        var payload = Assert.Throws<ArgumentException>(() => new TaskWorker(_backend, new TaskHandlers().Add<Nested>((_, _) => { })));
        Assert.StartsWith("The payload 'Nested' would not come back", payload.Message, StringComparison.Ordinal);
        var result = Assert.Throws<ArgumentException>(
            () => new TaskWorker(_backend, new TaskHandlers().Add<Make, PrivateSetter>((_, _) => PrivateSetter.Of("a"))));
        Assert.StartsWith("The result 'PrivateSetter' would not come back", result.Message, StringComparison.Ordinal);
    }

    private sealed record Transfer(int Amount, string Currency) : ITask<string>;

    [Fact]
    public async Task A_task_that_was_stored_before_its_payload_grew_fails_with_the_member_that_it_lacks()
    {
        await using var queue = new TaskQueue(_backend);
        var stored = await _backend.EnqueueAsync([new NewTask { Name = "json-tests.transfer", Payload = "{\"Amount\":4}"u8.ToArray() }]);
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Transfer, string>((task, _) => task.Currency));
        await worker.StartAsync(TestContext.Current.CancellationToken);

        var result = await queue.GetResultAsync(stored[0].Id, Bound);
        Assert.Equal(TaskState.Failed, result!.State);
        Assert.Contains("Currency", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_result_reads_in_JSON_as_a_person_would_want()
    {
        await using var queue = new TaskQueue(_backend);
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Transfer, string>((task, _) => task.Currency));
        await worker.StartAsync(TestContext.Current.CancellationToken);
        var handle = await queue.EnqueueAsync(new Transfer(4, "EUR"));
        var result = await queue.GetResultAsync(handle.Id, Bound);

        var json = JsonSerializer.Serialize(result, JsonSerializerOptions.Web);
        Assert.StartsWith($"{{\"id\":{handle.Id},\"name\":\"json-tests.transfer\",\"queue\":\"default\",\"state\":\"Succeeded\",", json, StringComparison.Ordinal);
        Assert.EndsWith("\"value\":\"EUR\"}", json, StringComparison.Ordinal);
        var read = JsonSerializer.Deserialize<TaskResult>(json, JsonSerializerOptions.Web)!;
        Assert.Equal(("EUR", TaskState.Succeeded), (read.GetValue<string>(), read.State));
        Assert.Contains("\"value\":null", JsonSerializer.Serialize(result! with { Value = default }, JsonSerializerOptions.Web), StringComparison.Ordinal);
    }
}
