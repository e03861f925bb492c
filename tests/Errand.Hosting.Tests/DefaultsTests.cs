using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting.Tests;

/// <summary>What tasks are enqueued with where the call does not say it.</summary>
public sealed class DefaultsTests : HostTest
{
    [TaskDefaults(Queue = "reports", Timeout = "soon")]
    private sealed record Report : ITask;

    [TaskDefaults(Queue = "slow")]
    private sealed record Archive : ITask;

    [Fact]
    public async Task They_come_from_the_configuration_and_then_from_code()
    {
        var builder = NewBuilder(
            ("Errand:Defaults:Queue", "main"), ("Errand:Defaults:MaxAttempts", "2"), ("Errand:Defaults:Timeout", "00:01:00"),
            ("Errand:Defaults:Priority", "3"));
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>().AddHandler((Ping _) => { })
            .ConfigureDefaults(defaults => defaults with { Priority = 4 })
            .ConfigureDefaults<Greet>(defaults => defaults with { Queue = "greetings" })
            .ConfigureDefaults<Greet>(defaults => defaults with { Priority = 5 })
            .ConfigureWorker(worker => worker with { Queues = ["main"] }));
        var host = await StartAsync(builder);
        var inspector = host.Services.GetRequiredService<IQueueInspector>();

        var later = new EnqueueOptions { Delay = TimeSpan.FromHours(1) };
        var ping = (await inspector.FindAsync((await Queue(host).EnqueueAsync(new Ping(), later)).Id))!;
        var greet = (await inspector.FindAsync((await Queue(host).EnqueueAsync(new Greet("Ada"), later)).Id))!;

        Assert.Equal(("main", 4, (TimeSpan?)TimeSpan.FromMinutes(1), (int?)2), (ping.Queue, ping.Priority, ping.Timeout, ping.MaxAttempts));
        Assert.Equal(("greetings", 5), (greet.Queue, greet.Priority));
        var warned = Assert.Single(Log.Entries, entry => entry.Id == 113);
        Assert.Contains("'greet' go to the queue 'greetings'", warned.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_queue_that_any_worker_here_serves_is_not_warned_of()
    {
        await StartAsync(errand => errand.AddHandler((Archive _) => { }).AddHandler<GreetHandler>()
            .AddWorker("slow", worker => worker with { Queues = ["sl*"] }));
        Assert.DoesNotContain(Log.Entries, entry => entry.Id == 113);
    }

    [Fact]
    public async Task A_task_that_a_worker_here_is_offered_and_nobody_here_handles_is_warned_of_once()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler>());
        await Queue(host).EnqueueAsync(new Greet("Ada"));
        await Queue(host).EnqueueAsync(new Ping());
        await Queue(host).EnqueueManyAsync([new Ping(), new Ping()]);
        var warned = Assert.Single(Log.Entries, entry => entry.Id == 114);
        Assert.StartsWith("Task 'ping' is enqueued in queue 'default', which a worker of this process serves", warned.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Those_that_cannot_work_are_told_when_the_host_starts()
    {
        var builder = NewBuilder(("Errand:Defaults:Timeout", "-00:00:01"), ("Errand:Defaults:Retries", "3"));
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler((Report _) => { })
            .ConfigureDefaults<Greet>(defaults => defaults with { Queue = "a b" }));
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));

        Assert.Equal(
            [
                "Errand:Defaults:Retries is no option; there are Queue, Priority, Timeout, MaxAttempts",
                "Errand:Defaults:Timeout is -00:00:01; allowed is 1 ms to 30 days",
                $"Errand:Queue:ConfigureDefaults<{typeof(Greet).FullName}>.Queue holds the character U+0020; allowed are 1 to 128 letters, "
                    + "digits and . _ - : /",
                $"The defaults of '{typeof(Report).FullName}': Timeout is 'soon'; allowed is a duration such as 00:05:00",
            ],
            refused.Problems);
    }
}
