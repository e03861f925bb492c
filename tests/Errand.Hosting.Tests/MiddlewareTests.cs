using System.Collections.Concurrent;
using System.Security.Principal;
using Errand.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Polly;
using Polly.Retry;

namespace Errand.Hosting.Tests;

/// <summary>Middleware and failure handlers from the container, in the scope of the handler.</summary>
public sealed class MiddlewareTests : HostTest
{
    private static readonly RetryPolicy Quick = new() { MaxAttempts = 2, Delay = TimeSpan.Zero };

    [Fact]
    public async Task A_tenant_and_a_user_travel_from_the_caller_to_the_services_of_the_handler()
    {
        var builder = NewBuilder();
        builder.Services.AddScoped<Tenant>().AddErrand(errand => errand.UseSqlite(":memory:")
            .AddMiddleware<TenantMiddleware>().AddMiddleware<UserMiddleware>()
            .AddHandler((Greet task, Tenant tenant) => $"{task.Name} of {tenant.Name} for {Thread.CurrentPrincipal!.Identity!.Name}"));
        var host = await StartAsync(builder);

        TenantMiddleware.Caller.Value = "seven";
        Thread.CurrentPrincipal = new GenericPrincipal(new GenericIdentity("bob"), []);
        Assert.Equal("Ann of seven for bob", await RunAsync(host, new Greet("Ann")));
        TenantMiddleware.Caller.Value = "eight";
        Thread.CurrentPrincipal = new GenericPrincipal(new GenericIdentity("eve"), []);
        Assert.Equal("Ann of eight for eve", await RunAsync(host, new Greet("Ann")));
    }

    [Fact]
    public async Task Handler_middleware_and_failure_handler_share_a_scope_that_ends_after_them()
    {
        var seen = new ConcurrentQueue<(string Who, Unit Unit)>();
        var builder = NewBuilder();
        builder.Services.AddScoped<Unit>().AddSingleton(seen).AddErrand(errand => errand.UseSqlite(":memory:")
            .AddMiddleware<UnitMiddleware>().AddFailureHandler<UnitFailureHandler>()
            .AddHandler((Ping _, Unit unit, TaskContext context) =>
            {
                seen.Enqueue(("handler", unit));
                Assert.Same(unit, context.Services!.GetRequiredService<Unit>());
                return context.Attempt == 1 ? throw new FormatException("once") : Task.CompletedTask;
            }));
        var host = await StartAsync(builder);
        await RunAsync(host, new Ping(), new EnqueueOptions { Retry = Quick });

        (string Who, Unit Unit)[] all = [.. seen];
        Assert.Equal(["enqueue", "execute", "handler", "failure", "execute", "handler"], all.Select(one => one.Who));
        Assert.NotSame(all[0].Unit, all[1].Unit);
        Assert.Same(all[1].Unit, all[2].Unit);
        Assert.Same(all[1].Unit, all[3].Unit);
        Assert.NotSame(all[1].Unit, all[4].Unit);
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.All(all, one => Assert.True(one.Unit.IsDisposed));
    }

    [Fact]
    public async Task Services_that_they_ask_for_and_nobody_has_registered_are_told_at_the_start()
    {
        await using var services = new ServiceCollection().AddLogging().AddErrand(errand => errand.UseSqlite(":memory:")
            .AddMiddleware<UnitMiddleware>().AddFailureHandler<UnitFailureHandler>().AddHandler((Ping _) => { })).BuildServiceProvider();
        var refused = Assert.Throws<InvalidOptionsException>(services.GetRequiredService<ITaskQueue>);
        Assert.Contains("UnitMiddleware asks for Unit, which is not registered", refused.Problems);
        Assert.Contains("UnitFailureHandler asks for Unit, which is not registered", refused.Problems);
    }

    [Fact]
    public async Task The_same_class_twice_runs_once_and_instances_of_the_options_run_outside()
    {
        var order = new ConcurrentQueue<string>();
        var builder = NewBuilder();
        builder.Services.AddSingleton(new Noting("class", order)).AddErrand(errand => errand.UseSqlite(":memory:")
            .AddMiddleware<Noting>().AddMiddleware<Noting>()
            .ConfigureWorker(worker => worker with { Middleware = [new Noting("instance", order)] })
            .AddHandler((Ping _) => order.Enqueue("handler")));
        await RunAsync(await StartAsync(builder), new Ping());
        Assert.Equal(["instance", "class", "handler"], order);
    }

    [Fact]
    public async Task A_worker_beside_the_first_has_them_too_and_cannot_add_its_own()
    {
        var order = new ConcurrentQueue<string>();
        var builder = NewBuilder();
        builder.Services.AddSingleton(new Noting("around", order)).AddErrand(errand => errand.UseSqlite(":memory:").AddMiddleware<Noting>()
            .AddWorker("slow", worker => worker.AddHandler((Ping _) => order.Enqueue("handler"))
                .ConfigureWorker(options => options with { Queues = ["slow"] })));
        var host = await StartAsync(builder);
        await RunAsync(host, new Ping(), new EnqueueOptions { Queue = "slow" });
        Assert.Equal(["around", "handler"], order);
        var e = Assert.Throws<InvalidOperationException>(() => NewBuilder().Services.AddErrand(
            errand => errand.AddWorker("slow", worker => worker.AddMiddleware<Noting>())));
        Assert.Contains("Middleware is set within AddWorker(\"slow\"", e.Message, StringComparison.Ordinal);
    }

    /// <summary>The recipe of docs/middleware.md: short retries of one call stand inside the handler, and are no attempts of the task.</summary>
    [Fact]
    public async Task A_pipeline_of_Polly_retries_within_one_attempt()
    {
        var calls = 0;
        var builder = NewBuilder();
        builder.Services.AddSingleton(new ResiliencePipelineBuilder()
            .AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 3, Delay = TimeSpan.Zero }).AddTimeout(Bound).Build());
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:")
            .AddHandler(async (Greet task, TaskContext context, ResiliencePipeline pipeline, CancellationToken token) =>
                await pipeline.ExecuteAsync(
                    _ => ++calls < 3 ? throw new FormatException("busy") : ValueTask.FromResult($"{task.Name} {calls} {context.Attempt}"), token)));
        Assert.Equal("Ann 3 1", await RunAsync(await StartAsync(builder), new Greet("Ann")));
    }

    private sealed class Tenant
    {
        public string? Name { get; set; }
    }

    private sealed class TenantMiddleware(Tenant tenant) : ITaskMiddleware
    {
        public static readonly AsyncLocal<string?> Caller = new();

        public ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
        {
            context.AddHeader("tenant", Caller.Value ?? "");
            return next();
        }

        public async ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            tenant.Name = context.Headers["tenant"];
            await next();
        }
    }

    private sealed class UserMiddleware : ITaskMiddleware
    {
        public ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
        {
            context.AddHeader("user", Thread.CurrentPrincipal?.Identity?.Name ?? "");
            return next();
        }

        public async ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            Thread.CurrentPrincipal = new GenericPrincipal(new GenericIdentity(context.Headers["user"]), []);
            await next();
        }
    }

    private sealed class Unit : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }

    private sealed class UnitMiddleware(Unit unit, ConcurrentQueue<(string Who, Unit Unit)> seen) : ITaskMiddleware
    {
        public ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
        {
            seen.Enqueue(("enqueue", unit));
            return next();
        }

        public ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            seen.Enqueue(("execute", unit));
            return next();
        }
    }

    private sealed class UnitFailureHandler(Unit unit, ConcurrentQueue<(string Who, Unit Unit)> seen) : ITaskFailureHandler
    {
        public ValueTask<RetryDecision?> HandleAsync(FailedAttempt attempt, TaskContext context)
        {
            Assert.False(unit.IsDisposed);
            seen.Enqueue(("failure", unit));
            return new((RetryDecision?)null);
        }
    }

    private sealed class Noting(string name, ConcurrentQueue<string> order) : ITaskMiddleware
    {
        public ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            order.Enqueue(name);
            return next();
        }
    }
}
