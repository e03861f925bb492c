using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting.Tests;

/// <summary>A handler may have any shape: what it takes, in which order, and what it returns.</summary>
public sealed class ShapeTests : HostTest
{
    private interface IStore
    {
        string Name { get; }
    }

    private sealed record Unnamed : ITask;

    private sealed class StoreA : IStore
    {
        public string Name => "A";
    }

    private sealed class StoreB : IStore
    {
        public string Name => "B";
    }

    private async Task<string> GreetAsync(Action<ErrandBuilder> configure)
    {
        var builder = NewBuilder();
        builder.Services.AddSingleton<IStore, StoreA>().AddKeyedSingleton<IStore, StoreB>("b")
            .AddErrand(errand =>
            {
                errand.UseSqlite(":memory:");
                configure(errand);
            });
        return await RunAsync(await StartAsync(builder), new Greet("Ada"));
    }

    private async Task PingAsync(Action<ErrandBuilder> configure)
    {
        var host = await StartAsync(configure);
        await RunAsync(host, new Ping("1"));
        Assert.Equal(["ping 1"], Journal.Entries);
    }

    private static string Hello(IStore store, Greet task) => $"Hello, {task.Name}, from {store.Name}";

    private static async Task<string> HelloAsync(TaskContext context, Greet task, CancellationToken token)
    {
        await Task.Delay(1, token);
        return $"Hello, {task.Name}, {context.Attempt}";
    }

    [Fact]
    public async Task What_it_asks_for_may_stand_in_any_order()
    {
        Assert.Equal("Hello, Ada, from A", await GreetAsync(errand => errand.AddHandler(Hello)));
        Assert.Equal("Hello, Ada, 1", await GreetAsync(errand => errand.AddHandler(HelloAsync)));
        Assert.Equal(
            "A1", await GreetAsync(errand => errand.AddHandler((IStore store, TaskContext context, Greet _) => store.Name + context.Attempt)));
        Assert.Equal("False", await GreetAsync(
            errand => errand.AddHandler((Greet _, TaskContext _, CancellationToken token) => $"{token.IsCancellationRequested}")));
    }

    [Fact]
    public async Task A_keyed_service_is_the_one_with_its_key()
    {
        Assert.Equal("B", await GreetAsync(
            errand => errand.AddHandler((Greet _, TaskContext _, [FromKeyedServices("b")] IStore store) => store.Name)));
        Assert.Equal("BA", await GreetAsync(
            errand => errand.AddHandler((Greet _, [FromKeyedServices("b")] IStore one, IStore other) => one.Name + other.Name)));
    }

    [Fact]
    public async Task It_may_return_a_value_a_task_or_nothing()
    {
        Assert.Equal("Ada", await GreetAsync(errand => errand.AddHandler((Greet task) => task.Name)));
        Assert.Equal("Ada", await GreetAsync(errand => errand.AddHandler((Greet task) => ValueTask.FromResult(task.Name))));
        Assert.Equal("Ada", await GreetAsync(errand => errand.AddHandler((Greet task, TaskContext _) => ValueTask.FromResult(task.Name))));
    }

    [Fact]
    public Task Nothing_as_void() => PingAsync(errand => errand.AddHandler((Ping task, TaskContext _) => Journal.Add($"ping {task.Text}")));

    [Fact]
    public Task Nothing_as_a_value_task() => PingAsync(errand => errand.AddHandler((Ping task, Journal journal) =>
    {
        journal.Add($"ping {task.Text}");
        return ValueTask.CompletedTask;
    }));

    [Fact]
    public Task Something_that_nobody_asked_for() => PingAsync(errand => errand.AddHandler((Ping task, Journal journal) =>
    {
        journal.Add($"ping {task.Text}");
        return 4;
    }));

    [Fact]
    public async Task A_handler_that_returns_no_task_has_a_thread_of_its_own() =>
        Assert.Equal("False", await GreetAsync(errand => errand.AddHandler((Greet _) => $"{Thread.CurrentThread.IsThreadPoolThread}")));

    [Fact]
    public void What_cannot_be_a_handler_is_refused_with_the_remedy()
    {
        Assert.Equal(
            "The handler (Journal) takes no payload. Give it one parameter of a type that implements ITask or ITask<TResult>.",
            Refused((Journal _) => { }));
        Assert.Equal("The handler (Ping, Pong) takes 2 payloads (Ping, Pong). Add a handler for each.", Refused((Ping _, Pong _) => { }));
        Assert.Equal(
            "The handler (Greet, Journal) returns nothing, but Greet is ITask<String>. Return String, Task<String> or ValueTask<String>.",
            Refused((Greet _, Journal _) => { }));
        Assert.Equal(
            "The handler (ITask) takes ITask, which no task is stored as. Take the payload's own type.", Refused((ITask _) => { }));

        static string Refused(Delegate handler) => Assert.Throws<ArgumentException>(
            () => new ServiceCollection().AddErrand(errand => errand.AddHandler(handler))).Message;
    }

    private sealed class NeedyHandler(Random random, [FromKeyedServices("b")] IStore store) : ITaskHandler<Ping>
    {
        public Task HandleAsync(Ping task, TaskContext context) => Task.FromResult((random, store));
    }

    [Fact]
    public async Task What_nobody_has_registered_is_told_at_the_start_for_classes_too()
    {
        await using var services = new ServiceCollection().AddLogging().AddErrand(errand => errand.UseSqlite(":memory:")
            .AddHandler<NeedyHandler>()
            .AddHandler((Pong _, [FromKeyedServices("c")] IStore _) => { })).BuildServiceProvider();
        var refused = Assert.Throws<InvalidOptionsException>(services.GetRequiredService<ITaskQueue>);
        Assert.Equal(
            [
                "the handler of Ping (NeedyHandler) asks for Random, which is not registered",
                "the handler of Ping (NeedyHandler) asks for IStore with the key 'b', which is not registered",
                "the handler of Pong asks for IStore with the key 'c', which is not registered",
            ],
            refused.Problems);
    }

    [Fact]
    public async Task The_same_class_twice_is_one_handler()
    {
        var host = await StartAsync(errand => errand
            .AddHandler<GreetHandler>().AddHandlersFrom(typeof(GreetHandler).Assembly).AddHandler<GreetHandler>());
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
    }

    [Fact]
    public async Task Names_of_their_own_can_be_asked_for()
    {
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(
            () => StartAsync(errand => errand.RequireTaskName().AddHandler<GreetHandler>().AddHandler((Unnamed _) => { })));
        Assert.StartsWith("'Errand.Hosting.Tests.ShapeTests+Unnamed' has no [TaskName]", Assert.Single(refused.Problems), StringComparison.Ordinal);
    }
}
