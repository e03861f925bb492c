using Errand.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Errand.Hosting.Tests;

/// <summary>How Errand starts and stops with its host.</summary>
public sealed class LifetimeTests : HostTest
{
    [Fact]
    public async Task Everything_is_injectable_and_there_is_one_of_each()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler>());
        var queue = host.Services.GetRequiredService<TaskQueue>();
        Assert.Same(queue, host.Services.GetRequiredService<ITaskQueue>());
        Assert.Same(host.Services.GetRequiredService<IBackend>(), host.Services.GetRequiredService<IQueueInspector>());
    }

    [Fact]
    public async Task A_container_without_a_host_enqueues_all_the_same()
    {
        await using var services = new ServiceCollection()
            .AddErrand(errand => errand.UseSqlite(Database).AddHandler<GreetHandler>())
            .BuildServiceProvider();
        var handle = await services.GetRequiredService<ITaskQueue>().EnqueueAsync(new Greet("Ada"));
        Assert.True(handle.IsNew);
    }

    [Fact]
    public async Task Modules_of_a_program_may_each_add_their_part()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => errand.AddHandler<GreetHandler>());
        builder.Services.AddErrand(errand => errand.AddHandler<PingPongHandler>().UseSqlite(":memory:"));
        var host = await StartAsync(builder);

        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        await RunAsync(host, new Pong());
        Assert.Single(host.Services.GetServices<IHostedService>());
    }

    private sealed class EnqueuesAtStart(ITaskQueue queue, Journal journal) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await queue.EnqueueAsync(new Ping("early"), cancellationToken: cancellationToken);
            journal.Add("started");
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    [Fact]
    public async Task The_store_is_open_when_services_start_and_the_worker_starts_after_all_of_them()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<PingPongHandler>());
        builder.Services.AddHostedService<EnqueuesAtStart>();
        await StartAsync(builder);

        await Eventually.TrueAsync(() => Journal.Entries.Length == 2, "the task ran");
        Assert.Equal(["started", "ping early"], Journal.Entries);
    }

    [Fact]
    public async Task A_host_whose_store_cannot_be_used_does_not_start_and_says_why()
    {
        var builder = NewBuilder();
        var path = File("no-such-folder/tasks.db");
        builder.Services.AddErrand(errand => errand.UseSqlite(path).AddHandler<PingPongHandler>());
        builder.Services.AddHostedService<EnqueuesAtStart>();

        var refused = await Assert.ThrowsAsync<BackendException>(() => StartAsync(builder));

        Assert.Contains(path, refused.Message, StringComparison.Ordinal);
        Assert.Empty(Journal.Entries);
    }

    [Fact]
    public async Task A_host_without_a_worker_enqueues_and_leaves_the_work_to_another()
    {
        var web = NewBuilder();
        web.Services.AddErrand(errand => errand.UseSqlite(Database).AddHandler<GreetHandler>().WithoutWorker());
        var front = await StartAsync(web);
        var handle = await Queue(front).EnqueueAsync(new Greet("Ada"));
        Assert.Equal(0, (await front.Services.GetRequiredService<IQueueInspector>().GetOverviewAsync()).LiveWorkers);

        var worker = NewBuilder();
        worker.Services.AddErrand(errand => errand.UseSqlite(Database).AddHandler<GreetHandler>());
        await StartAsync(worker);

        Assert.Equal("Hello, Ada", await handle.WaitAsync(Bound));
    }

    /// <summary>Starts a host whose handler says how it was started, and then does what it is given.</summary>
    private async Task<(IHost Host, Task<(int Attempt, long Epoch)> Started)> StartHandlingAsync(
        TimeSpan shutdownTimeout, Func<TaskContext, Task> handle)
    {
        var started = new TaskCompletionSource<(int, long)>();
        var builder = NewBuilder();
        builder.Services.Configure<HostOptions>(options =>
        {
            options.ShutdownTimeout = shutdownTimeout;
            options.ServicesStopConcurrently = true; // Such a host throws when a service has not stopped in time.
        });
        builder.Services.AddErrand(errand => errand.UseSqlite(Database).AddHandler((Ping _, TaskContext context) =>
        {
            started.TrySetResult((context.Attempt, context.Epoch));
            return handle(context);
        }));
        return (await StartAsync(builder), started.Task);
    }

    private static Task UntilCancelledAsync(TaskContext context) => Task.Delay(Timeout.Infinite, context.CancellationToken);

    [Fact]
    public async Task A_stop_lets_a_handler_finish()
    {
        var mayEnd = new TaskCompletionSource();
        var (host, started) = await StartHandlingAsync(TimeSpan.FromMinutes(1), _ => mayEnd.Task);
        var handle = await Queue(host).EnqueueAsync(new Ping());
        await started.WaitAsync(Bound);

        var stop = host.StopAsync();
        mayEnd.SetResult();
        await stop.WaitAsync(Bound);

        Assert.Equal(TaskState.Succeeded, (await Queue(host).GetResultAsync(handle.Id))?.State);
    }

    [Fact]
    public async Task A_handler_that_heeds_its_token_is_given_back_before_the_host_gives_up()
    {
        var (host, started) = await StartHandlingAsync(TimeSpan.FromSeconds(3), UntilCancelledAsync);
        await Queue(host).EnqueueAsync(new Ping());
        await started.WaitAsync(Bound);

        await host.StopAsync();

        Assert.Contains(Log.Entries, entry => entry.Id == 205);
        var (_, again) = await StartHandlingAsync(TimeSpan.FromMinutes(1), _ => Task.CompletedTask);
        Assert.Equal((1, 2L), await again.WaitAsync(Bound));
    }

    /// <summary>A service that stops before the worker's turn comes, and takes as long as it is given.</summary>
    private sealed class StopsSlowly(RecordingProvider log) : IHostedService
    {
        public bool SawTheTaskGivenBack { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            await Eventually.TrueAsync(() => log.Entries.Any(entry => entry.Id == 205), "the task is given back");
            SawTheTaskGivenBack = !cancellationToken.IsCancellationRequested;
        }
    }

    [Fact]
    public async Task Another_service_that_stops_slowly_does_not_cost_the_worker_its_time()
    {
        var started = new TaskCompletionSource();
        var slow = new StopsSlowly(Log);
        var builder = NewBuilder();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(5));
        builder.Services.AddErrand(errand => errand.UseSqlite(Database).AddHandler((Ping _, TaskContext context) =>
        {
            started.TrySetResult();
            return UntilCancelledAsync(context);
        }));
        builder.Services.AddSingleton<IHostedService>(slow);
        var host = await StartAsync(builder);
        await Queue(host).EnqueueAsync(new Ping());
        await started.Task.WaitAsync(Bound);

        await host.StopAsync();

        Assert.True(slow.SawTheTaskGivenBack);
    }

    [Fact]
    public async Task A_host_that_is_disposed_without_a_stop_gives_its_tasks_back_all_the_same()
    {
        var (host, started) = await StartHandlingAsync(TimeSpan.FromMinutes(1), UntilCancelledAsync);
        await Queue(host).EnqueueAsync(new Ping());
        await started.WaitAsync(Bound);

        await ((IAsyncDisposable)host).DisposeAsync();

        Assert.Contains(Log.Entries, entry => entry.Id == 205);
        Assert.DoesNotContain(Log.Entries, entry => entry.Id is 106 or 108);
    }

    /// <summary>A test's factory stops the host that the application's own <c>Run</c> has just disposed.</summary>
    [Fact]
    public async Task A_stop_that_comes_after_the_disposal_is_no_error()
    {
        var (host, _) = await StartHandlingAsync(TimeSpan.FromMinutes(1), UntilCancelledAsync);
        var service = host.Services.GetServices<IHostedService>().OfType<IHostedLifecycleService>().Single();
        await ((IAsyncDisposable)host).DisposeAsync();

        await service.StoppingAsync(TestContext.Current.CancellationToken);
        await service.StopAsync(TestContext.Current.CancellationToken);
        await service.StoppedAsync(TestContext.Current.CancellationToken);
    }
}
