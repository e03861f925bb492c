using Errand.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Errand.Hosting.Tests;

/// <summary>What a health check says of a store.</summary>
public sealed class HealthTests : HostTest
{
    private async Task<IHost> StartCheckedAsync(
        Action<ErrandBuilder> configure, Func<ErrandHealthOptions, ErrandHealthOptions>? thresholds = null,
        params (string Name, string? Value)[] configuration)
    {
        var builder = NewBuilder(configuration);
        builder.Services.AddErrand(errand => configure(errand.UseSqlite(Database)));
        builder.Services.AddHealthChecks().AddErrand(thresholds);
        return await StartAsync(builder);
    }

    private static async Task<HealthReportEntry> CheckAsync(IHost host, string name = "errand") =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries[name];

    [Fact]
    public async Task A_store_that_is_worked_on_is_healthy_and_says_what_is_in_it()
    {
        var host = await StartCheckedAsync(errand => errand.AddHandler<GreetHandler>());
        await Queue(host).EnqueueAsync(new Greet("Ada"), new EnqueueOptions { Delay = TimeSpan.FromDays(1) });

        var health = await CheckAsync(host);

        Assert.Equal(HealthStatus.Healthy, health.Status);
        Assert.Equal((1, 1L, 0L), (health.Data["LiveWorkers"], health.Data["Scheduled"], health.Data["Pending"]));
    }

    [Fact]
    public async Task Tasks_that_nobody_works_on_degrade_it()
    {
        var host = await StartCheckedAsync(errand => errand.WithoutWorker());
        await Queue(host).EnqueueManyAsync([new Ping(), new Ping(), new Pong()]);

        var health = await CheckAsync(host);

        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Equal("0 workers live, of at least 1. No live worker knows the tasks ping (2), pong (1).", health.Description);
        Assert.Equal(3L, health.Data["Unclaimed"]);
    }

    [Fact]
    public async Task A_task_that_waits_too_long_degrades_it()
    {
        var clock = new ManualTimeProvider();
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => errand
            .UseSqlite(":memory:", sqlite => sqlite with { TimeProvider = clock })
            .AddHandler<GreetHandler>());
        builder.Services.AddHealthChecks().AddErrand();
        var host = await StartAsync(builder);
        await Queue(host).EnqueueAsync(new Greet("Ada"), new EnqueueOptions { Queue = "unserved" });

        clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);
        clock.Advance(TimeSpan.FromMinutes(1));
        var health = await CheckAsync(host);

        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Equal("A task has waited 00:06:00 for its start, longer than 00:05:00.", health.Description);
    }

    [Fact]
    public async Task Thresholds_come_from_the_configuration_and_then_from_code()
    {
        var host = await StartCheckedAsync(
            errand => errand.WithoutWorker(), options => options with { MinWorkers = options.MinWorkers - 2 },
            ("Errand:Health:MaxUnclaimed", "2"), ("Errand:Health:MinWorkers", "2"));
        await Queue(host).EnqueueManyAsync([new Ping(), new Ping()]);

        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);
    }

    [Fact]
    public async Task A_store_that_cannot_be_reached_is_unhealthy()
    {
        var host = await StartCheckedAsync(errand => errand.AddHandler<GreetHandler>());
        await host.StopAsync();
        await host.Services.GetRequiredService<IBackend>().DisposeAsync();

        var health = await CheckAsync(host);

        Assert.Equal(HealthStatus.Unhealthy, health.Status);
        Assert.StartsWith("The store cannot be reached: ", health.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_queue_with_a_key_has_a_check_of_its_own()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand("reports", errand => errand.UseSqlite(":memory:").WithoutWorker());
        builder.Services.AddHealthChecks().AddErrand("reports", options => options with { MinWorkers = 0 });
        var host = await StartAsync(builder);

        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host, "errand-reports")).Status);
    }
}
