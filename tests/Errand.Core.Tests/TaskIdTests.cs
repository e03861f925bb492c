using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Errand.Tests;

/// <summary>An id is its number in text and in JSON. What holds for tasks holds for workers, whose ids are made the same way.</summary>
public sealed partial class TaskIdTests
{
    public sealed record Line(TaskId Id, WorkerId? Worker, IReadOnlyDictionary<TaskId, WorkerId> Owners);

    [JsonSerializable(typeof(Line))]
    [JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
    public sealed partial class Generated : JsonSerializerContext;

    [Theory]
    [InlineData(0, "0")]
    [InlineData(7, "7")]
    [InlineData((1L << 53) - 1, "9007199254740991")]
    [InlineData(long.MinValue, "-9223372036854775808")]
    public void An_id_is_written_and_read_as_its_digits(long number, string text)
    {
        var (task, worker) = (new TaskId(number), new WorkerId(number));

        Assert.Equal(text, task.ToString());
        Assert.Equal(text, $"{task}");
        Assert.Equal(text, worker.ToString());
        Assert.Equal(text, string.Create(CultureInfo.InvariantCulture, $"{worker}"));
        Assert.Equal(number.ToString("x", CultureInfo.InvariantCulture), $"{task:x}");
        Assert.Equal(task, TaskId.Parse(text));
        Assert.Equal(task, TaskId.Parse(text.AsSpan(), CultureInfo.InvariantCulture));
        Assert.Equal(worker, WorkerId.Parse(text, null));
        Assert.True(TaskId.TryParse(text, out var parsed) && parsed == task);
        Assert.Equal(number, (long)task);
        Assert.Equal(task, (TaskId)number);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" 7")]
    [InlineData("7 ")]
    [InlineData("1,000")]
    [InlineData("7.0")]
    [InlineData("0x7")]
    [InlineData("seven")]
    [InlineData("9223372036854775808")]
    public void What_is_no_number_is_no_id(string? text)
    {
        Assert.False(TaskId.TryParse(text, out var task));
        Assert.False(WorkerId.TryParse(text, CultureInfo.InvariantCulture, out var worker));
        Assert.Equal((default, default), (task, worker));
        Assert.ThrowsAny<SystemException>(() => TaskId.Parse(text!));
        Assert.ThrowsAny<SystemException>(() => WorkerId.Parse(text.AsSpan(), null));
    }

    [Fact]
    public void The_default_is_zero_and_ids_sort_and_compare_as_their_numbers()
    {
        Assert.Equal(new TaskId(0), default);
        Assert.Equal(0, default(WorkerId).Value);

        TaskId[] ids = [new(10), new(9), new(-1), new(100)];
        Assert.Equal([-1, 9, 10, 100], ids.Order().Select(id => id.Value));
        Assert.Equal(new TaskId(100), ids.Max());
        Assert.True(new TaskId(1) < new TaskId(2) && new TaskId(2) <= new TaskId(2));
        Assert.True(new WorkerId(2) > new WorkerId(1) && new WorkerId(2) >= new WorkerId(2));
        Assert.Equal(4, ids.Concat(ids).ToHashSet().Count);
        Assert.False(new TaskId(1).Equals((object)new WorkerId(1)));
    }

    public static TheoryData<JsonSerializerOptions> Json => [JsonSerializerOptions.Default, JsonSerializerOptions.Web, Generated.Default.Options];

    [Theory]
    [MemberData(nameof(Json), DisableDiscoveryEnumeration = true)]
    public void An_id_is_a_number_in_json_and_a_name_where_it_is_a_key(JsonSerializerOptions json)
    {
        var line = new Line(new TaskId(7), new WorkerId(8), new Dictionary<TaskId, WorkerId> { [new TaskId(9)] = new WorkerId(10) });

        var text = JsonSerializer.Serialize(line, json);
        var read = JsonSerializer.Deserialize<Line>(text, json)!;

        Assert.Equal("""{"Id":7,"Worker":8,"Owners":{"9":10}}""", text, ignoreCase: true);
        Assert.Equal((line.Id, line.Worker), (read.Id, read.Worker));
        Assert.Equal(line.Owners, read.Owners);
        Assert.Null(JsonSerializer.Deserialize<Line>(text.Replace(":8", ":null", StringComparison.Ordinal), json)!.Worker);
    }

    [Theory]
    [InlineData("\"7\"")]
    [InlineData("7.5")]
    [InlineData("9223372036854775808")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("{}")]
    public void What_is_no_number_in_json_is_no_id(string json)
    {
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<TaskId>(json, JsonSerializerOptions.Web));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<WorkerId>(json));
    }

    [Fact]
    public void A_key_that_is_no_number_is_no_id() =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Dictionary<TaskId, int>>("""{"seven":7}"""));
}
