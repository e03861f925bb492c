using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Errand.Hosting.Tests;

/// <summary>How a host with Errand is put together, starts and goes.</summary>
public sealed class StartTests : HostTest
{
    [Fact]
    public async Task I_can_add_it_to_the_builder_of_a_host()
    {
        var builder = NewBuilder();
        builder.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>())
            .AddErrand("reports", errand => errand.UseSqlite(":memory:").WithoutWorker());
        var host = await StartAsync(builder);

        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        Assert.NotNull(host.Services.GetKeyedService<ITaskQueue>("reports"));
    }

    /// <summary>A server that is away for its first few uses, or answers for ever with an error that does not pass.</summary>
    private static void UseAway(ErrandBuilder errand, StrongBox<int> uses, int failures, bool passes) => errand.UseBackend("Sqlite", (_, _) =>
    {
        var backend = System.Reflection.DispatchProxy.Create<IBackend, Away>();
        var away = (Away)(object)backend;
        (away.Inner, away.Uses, away.Failures, away.Passes) = (new Sqlite.SqliteBackend(":memory:"), uses, failures, passes);
        return backend;
    });

    [Fact]
    public async Task A_host_may_wait_for_its_store_and_says_so_once()
    {
        var uses = new StrongBox<int>();
        var builder = NewBuilder();
        builder.AddErrand(errand =>
        {
            UseAway(errand, uses, failures: 3, passes: true);
            errand.AddHandler<GreetHandler>().WaitForStore(Bound);
        });
        var host = await StartAsync(builder);

        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        Assert.Equal(4, uses.Value);
        Assert.Single(Log.Entries, entry => entry.Id == 112);
    }

    [Theory]
    [InlineData(true, null)] // Without the option.
    [InlineData(true, "00:00:00.050")] // When the time has passed.
    [InlineData(false, "00:10:00")] // For an error that does not pass.
    public async Task A_host_that_need_not_wait_or_has_waited_in_vain_does_not_start(bool passes, string? configured)
    {
        var builder = NewBuilder(("Errand:WaitForStore", configured));
        builder.AddErrand(errand =>
        {
            UseAway(errand, new StrongBox<int>(), failures: int.MaxValue, passes);
            errand.WithoutWorker();
        });
        var refused = await Assert.ThrowsAsync<BackendException>(() => StartAsync(builder)).WaitAsync(Bound);
        Assert.Equal("away", refused.Message);
    }

    [Fact]
    public async Task A_wait_that_cannot_be_is_told()
    {
        var builder = NewBuilder(("Errand:WaitForStore", "soon"));
        builder.AddErrand(errand => errand.UseSqlite(":memory:").WithoutWorker().WaitForStore(TimeSpan.FromDays(2)));
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));
        Assert.Equal(
            [
                "Errand:WaitForStore is 'soon'; allowed is a duration such as 00:00:30 or 7.00:00:00",
                "Errand:WaitForStore is 2.00:00:00; allowed is zero to 1 day",
            ],
            refused.Problems);
    }

    [Fact]
    public async Task Everything_can_be_disposed_without_await()
    {
        using (var services = new ServiceCollection().AddLogging()
            .AddErrand(errand => errand.UseSqlite(Database).AddHandler<GreetHandler>()).BuildServiceProvider())
        {
            Assert.NotNull(services.GetRequiredService<TaskQueue>());
            Assert.NotNull(services.GetRequiredService<IQueueInspector>());
            Assert.Single(services.GetServices<IHostedService>());
        }

        using var backend = new Sqlite.SqliteBackend(Database);
        using var queue = new TaskQueue(backend);
        using var worker = new TaskWorker(backend, new TaskHandlers().Add((Greet task, TaskContext _) => task.Name));
        worker.Dispose();
        queue.Dispose();
        ((IDisposable)backend).Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.EnqueueAsync(new Greet("Ada")));
    }

    [Fact]
    public async Task A_host_that_is_disposed_without_await_stops_its_worker()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler>());
        host.Dispose();
        Assert.Contains(Log.Entries, entry => entry.Id == 101);
        Assert.DoesNotContain(Log.Entries, entry => entry.Id is 106 or 108);
    }

    [Fact]
    public async Task A_health_check_of_a_queue_that_there_is_not_says_so()
    {
        var builder = NewBuilder();
        builder.Services.AddHealthChecks().AddErrand().AddErrand("reports");
        var host = await StartAsync(builder);

        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);

        Assert.Equal(HealthStatus.Unhealthy, report.Status);
        Assert.StartsWith("There is no AddErrand, whose store", report.Entries["errand"].Description, StringComparison.Ordinal);
        Assert.StartsWith("There is no AddErrand(\"reports\"), ", report.Entries["errand-reports"].Description, StringComparison.Ordinal);
    }

    public class Away : System.Reflection.DispatchProxy
    {
        internal IBackend Inner { get; set; } = null!;

        internal StrongBox<int> Uses { get; set; } = null!;

        internal int Failures { get; set; }

        internal bool Passes { get; set; }

        protected override object? Invoke(System.Reflection.MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(IBackend.InitializeAsync) && ++Uses.Value <= Failures
                ? new ValueTask(Task.FromException(new BackendException("away", Passes)))
                : targetMethod.Invoke(Inner, args);
    }
}
