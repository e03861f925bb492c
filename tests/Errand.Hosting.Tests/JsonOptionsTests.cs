using System.Text.Json;

namespace Errand.Hosting.Tests;

/// <summary>One set of JSON options serves the queue and the workers of a host; what JSON would lose is told when it starts.</summary>
public sealed class JsonOptionsTests : HostTest
{
    private static readonly JsonSerializerOptions Snake = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static TheoryData<Action<ErrandBuilder>> Ways => new(
        errand => errand.UseJson(Snake),
        errand => errand.ConfigureQueue(queue => queue with { Json = Snake }),
        errand => errand.ConfigureWorker(worker => worker with { Json = Snake }));

    [Theory]
    [MemberData(nameof(Ways), DisableDiscoveryEnumeration = true)]
    public async Task Options_that_are_given_to_one_are_those_of_all(Action<ErrandBuilder> give)
    {
        var host = await StartAsync(errand =>
        {
            errand.AddHandler<GreetHandler>();
            give(errand);
        });
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
    }

    private sealed record Losing : ITask
    {
        public string Name { get; private set; } = "";

        public static Losing Of(string name) => new() { Name = name };
    }

    [Fact]
    public async Task Options_that_differ_and_payloads_that_would_lose_something_are_told_at_the_start()
    {
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(errand => errand
            .ConfigureQueue(queue => queue with { Json = JsonSerializerOptions.Web }).ConfigureWorker(worker => worker with { Json = Snake })
            .AddHandler((Losing _) => { })));
        Assert.Equal(
            [
                "the queue and the workers have different JSON options, and could not read each other; set them once with UseJson",
                "The payload 'Losing' would not come back from JSON as it went: 'Losing.Name' has no setter that JSON can use, and would be "
                + "lost. Make the setter public or init, take the value in the constructor, or mark the property with [JsonInclude] or [JsonIgnore]",
            ],
            refused.Problems);
    }
}
