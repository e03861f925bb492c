using Errand;
using Errand.Testing;

namespace Fresh;

public class UnitTest1
{
    [Fact]
    public async Task Ada_is_greeted()
    {
        await using var test = new ErrandTest(new TaskHandlers().Add<Greet, string>((task, _) => $"Hello, {task.Name}"));

        var greeting = await test.Queue.EnqueueAsync(new Greet("Ada"));
        await test.DrainAsync();

        Assert.Equal("Hello, Ada", test.ResultOf(greeting));
    }
}

public sealed record Greet(string Name) : ITask<string>;
