using System.Collections.Concurrent;
using Errand.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting.Tests;

/// <summary>Every attempt has a scope of its own: of the container, and of the log.</summary>
public sealed class ScopeTests : HostTest
{
    private sealed class Unit : IAsyncDisposable
    {
        public bool IsDisposed { get; private set; }

        public ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return ValueTask.CompletedTask;
        }
    }

    private sealed class UnitHandler(Unit unit, ConcurrentQueue<Unit> seen) : ITaskHandler<Ping>
    {
        public Task HandleAsync(Ping task, TaskContext context)
        {
            Assert.False(unit.IsDisposed);
            Assert.All(seen, earlier => Assert.True(earlier.IsDisposed));
            seen.Enqueue(unit);
            return context.Attempt < 3 ? throw new FormatException("not yet") : Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Each_attempt_has_a_scope_that_ends_with_it_also_when_it_fails()
    {
        var seen = new ConcurrentQueue<Unit>();
        var builder = NewBuilder();
        builder.Services.AddScoped<Unit>().AddSingleton(seen)
            .AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<UnitHandler>());
        var host = await StartAsync(builder);

        var quick = new RetryPolicy { Delay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(2) };
        await RunAsync(host, new Ping(), new EnqueueOptions { Retry = quick });

        Assert.Equal(3, seen.Distinct().Count());
        Assert.All(seen, unit => Assert.True(unit.IsDisposed));
    }

    private sealed class Spiteful : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => throw new FormatException("dispose failed");
    }

    private sealed class SpitefulHandler(Spiteful service) : ITaskHandler<Ping>, ITaskHandler<Greet, string>
    {
        public Task HandleAsync(Ping task, TaskContext context)
        {
            Assert.NotNull(service);
            throw new InvalidOperationException("of the handler");
        }

        public Task<string> HandleAsync(Greet task, TaskContext context) => Task.FromResult($"{task.Name} {context.Attempt}");
    }

    [Fact]
    public async Task A_disposal_that_throws_changes_neither_a_result_nor_the_handlers_own_error()
    {
        var builder = NewBuilder();
        builder.Services.AddScoped<Spiteful>().AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<SpitefulHandler>());
        var host = await StartAsync(builder);
        var options = new EnqueueOptions { Retry = RetryPolicy.Fixed(TimeSpan.Zero, 3) };

        Assert.Equal("sent 1", await RunAsync(host, new Greet("sent"), options));
        var failed = await Assert.ThrowsAsync<TaskFailedException>(
            () => RunAsync(host, new Ping(), new EnqueueOptions { Retry = RetryPolicy.None }));

        Assert.Contains("of the handler", failed.Result.Error, StringComparison.Ordinal);
        Assert.Equal(2, Log.Entries.Count(entry => entry.Id == 214));
    }

    [Fact]
    public async Task What_a_handler_logs_carries_its_task_and_attempt()
    {
        var host = await StartAsync(errand => errand.AddHandler(async (Ping task, TaskContext context, ILogger<Ping> log) =>
        {
            await Task.Yield();
            log.LogInformation("attempt here");
            if (context.Attempt == 1)
            {
                throw new FormatException("not yet");
            }
        }));
        var quick = new RetryPolicy { Delay = TimeSpan.FromMilliseconds(1) };
        var handle = await Queue(host).EnqueueAsync(new Ping(), new EnqueueOptions { Retry = quick });
        await handle.WaitAsync(Bound);

        var scopes = Log.Entries.Where(entry => entry.Text == "attempt here").Select(entry => entry.Scope).ToArray();
        Assert.Equal([1, 2], scopes.Select(scope => scope["Attempt"]));
        Assert.All(scopes, scope => Assert.Equal((handle.Id.Value, "ping", "default"), (scope["TaskId"], scope["TaskName"], scope["Queue"])));

        // The worker logs the failure after it has stored it, so the second attempt may be over before.
        await Eventually.TrueAsync(() => Log.Entries.Any(entry => entry.Id == 200), "the failed attempt is logged");
        Assert.Equal(handle.Id.Value, Assert.Single(Log.Entries, entry => entry.Id == 200).Scope["TaskId"]);
    }

    [Fact]
    public async Task What_handlers_and_middleware_log_is_kept_with_the_attempt_if_the_configuration_says_so()
    {
        var builder = NewBuilder(("Errand:Worker:KeepLogs", "Information"));
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddMiddleware<Chatty>()
            .AddHandler((Ping _, ILogger<Ping> log) => log.LogInformation("of the handler")));
        var host = await StartAsync(builder);
        var handle = await Queue(host).EnqueueAsync(new Ping());
        await handle.WaitAsync(Bound);
        var found = await host.Services.GetRequiredService<IQueueInspector>().FindAsync(handle.Id);
        Assert.Equal(
            [" info Errand.Hosting.Tests.ScopeTests.Chatty: before", " info Errand.Hosting.Tests.Ping: of the handler"],
            found!.Log!.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line["2026-01-01T00:00:00.000Z".Length..]));
    }

    private sealed class Chatty(ILogger<Chatty> log) : ITaskMiddleware
    {
        public ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
        {
            log.LogInformation("before");
            return next();
        }
    }
}
