using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting.Tests;

/// <summary>The ways in which a handler can be given.</summary>
public sealed class HandlerTests : HostTest
{
    [Fact]
    public async Task A_class_runs_and_its_result_comes_back()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler>());
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
    }

    [Fact]
    public async Task A_class_may_handle_several_payloads()
    {
        var host = await StartAsync(errand => errand.AddHandler<PingPongHandler>());
        await RunAsync(host, new Ping("1"));
        await RunAsync(host, new Pong());
        Assert.Equal(["ping 1", "pong"], Journal.Entries);
    }

    [Fact]
    public async Task Classes_can_be_named_with_what_they_handle_for_ahead_of_time_compilation()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler, Greet, string>().AddHandler<PingPongHandler, Pong>());
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        await RunAsync(host, new Pong());
        Assert.Equal(["pong"], Journal.Entries);
    }

    [Fact]
    public async Task All_classes_of_an_assembly_can_be_added()
    {
        var host = await StartAsync(errand => errand.AddHandlersFrom(Assembly.GetExecutingAssembly()));
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        await RunAsync(host, new Ping("1"));
        Assert.Equal(["ping 1"], Journal.Entries);
    }

    [Fact]
    public void An_assembly_or_a_class_without_handlers_is_refused()
    {
        var services = new ServiceCollection();
        Assert.Throws<ArgumentException>(() => services.AddErrand(errand => errand.AddHandlersFrom(typeof(object).Assembly)));
        var refused = Assert.Throws<ArgumentException>(() => services.AddErrand(errand => errand.AddHandler<Journal>()));
        Assert.StartsWith("Journal implements neither ITaskHandler<TPayload>", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_class_that_is_registered_already_stays_as_it_is()
    {
        var builder = NewBuilder();
        var one = new PingPongHandler(new Journal());
        builder.Services.AddSingleton(one).AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<PingPongHandler>());
        var host = await StartAsync(builder);
        await RunAsync(host, new Pong());
        Assert.Empty(Journal.Entries);
        Assert.Same(one, host.Services.GetRequiredService<PingPongHandler>());
    }

    private sealed record First;

    private sealed record Second;

    private sealed record Third;

    private static IServiceCollection AddServices(IServiceCollection services) =>
        services.AddScoped<First>().AddTransient<Second>().AddSingleton<Third>();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_lambda_without_a_result_may_ask_for_up_to_four_services(int count)
    {
        var builder = NewBuilder();
        AddServices(builder.Services).AddErrand(errand => _ = count switch
        {
            0 => errand.AddHandler((Ping task, TaskContext _) =>
            {
                Journal.Add(task.Text);
                return Task.CompletedTask;
            }),
            1 => errand.AddHandler(async (Ping task, TaskContext _, Journal journal) =>
            {
                await Task.Yield();
                journal.Add(task.Text);
            }),
            2 => errand.AddHandler(async (Ping task, TaskContext _, Journal journal, First first) =>
            {
                await Task.Yield();
                journal.Add(task.Text);
            }),
            3 => errand.AddHandler(async (Ping task, TaskContext _, Journal journal, First first, Second second) =>
            {
                await Task.Yield();
                journal.Add(task.Text);
            }),
            _ => errand.AddHandler(async (Ping task, TaskContext _, Journal journal, First first, Second second, IServiceProvider scope) =>
            {
                await Task.Yield();
                Assert.Same(first, scope.GetRequiredService<First>());
                journal.Add(task.Text);
            }),
        });
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:"));
        var host = await StartAsync(builder);

        await RunAsync(host, new Ping("here"));

        Assert.Equal(["here"], Journal.Entries);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_lambda_with_a_result_may_ask_for_up_to_four_services(int count)
    {
        var builder = NewBuilder();
        AddServices(builder.Services).AddErrand(errand => _ = count switch
        {
            0 => errand.AddHandler(async (Greet task, TaskContext _) => await Task.FromResult(task.Name)),
            1 => errand.AddHandler(async (Greet task, TaskContext _, First first) => await Task.FromResult(task.Name)),
            2 => errand.AddHandler(
                async (Greet task, TaskContext _, First first, Second second) => await Task.FromResult(task.Name)),
            3 => errand.AddHandler(
                async (Greet task, TaskContext _, First first, Second second, Third third) => await Task.FromResult(task.Name)),
            _ => errand.AddHandler(
                async (Greet task, TaskContext _, First first, Second second, Third third, Journal journal) =>
                    await Task.FromResult(task.Name)),
        });
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:"));
        var host = await StartAsync(builder);

        Assert.Equal("Ada", await RunAsync(host, new Greet("Ada")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_lambda_may_give_its_result_at_once(int count)
    {
        var builder = NewBuilder();
        AddServices(builder.Services).AddErrand(errand => _ = count switch
        {
            0 => errand.AddHandler((Greet task, TaskContext _) => task.Name),
            1 => errand.AddHandler((Greet task, TaskContext _, First first) => task.Name),
            2 => errand.AddHandler((Greet task, TaskContext _, First first, Second second) => task.Name),
            3 => errand.AddHandler((Greet task, TaskContext _, First first, Second second, Third third) => task.Name),
            _ => errand.AddHandler((Greet task, TaskContext _, First first, Second second, Third third, Journal journal) => task.Name),
        });
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:"));
        var host = await StartAsync(builder);

        Assert.Equal("Ada", await RunAsync(host, new Greet("Ada")));
    }

    private static Task<string> GreetAsync(Greet task, TaskContext context, ILogger<Greet> logger) => Task.FromResult(task.Name);

    [Fact]
    public async Task A_method_may_be_a_handler()
    {
        var host = await StartAsync(errand => errand.AddHandler<Greet, ILogger<Greet>, string>(GreetAsync));
        Assert.Equal("Ada", await RunAsync(host, new Greet("Ada")));
    }
}
