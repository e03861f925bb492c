using Errand.TestKit;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting.Tests;

/// <summary>Several workers in one host, over one backend.</summary>
public sealed class WorkersTests : HostTest
{
    private string[] Started() =>
        [.. Log.Entries.Where(entry => entry.Id == 100).Select(entry => entry.Text.Split("started: ")[1]).Order(StringComparer.Ordinal)];

    [Fact]
    public async Task A_worker_has_its_own_queues_and_slots_and_runs_the_handlers_of_all()
    {
        var (running, most) = (0, 0);
        var mayEnd = new TaskCompletionSource();
        var host = await StartAsync(errand => errand
            .ConfigureWorker(worker => worker with { Concurrency = 7 })
            .AddHandler<GreetHandler>()
            .AddHandler(async (Ping _, TaskContext _) =>
            {
                InterlockedMax(ref most, Interlocked.Increment(ref running));
                await mayEnd.Task;
                Interlocked.Decrement(ref running);
            })
            .AddWorker("slow", worker => worker with { Queues = ["slow"], Concurrency = 2 }));
        Assert.Equal(["2 handlers at once on slow.", "7 handlers at once on default."], Started());

        var slow = new EnqueueOptions { Queue = "slow" };
        var handles = await Queue(host).EnqueueManyAsync([new Ping(), new Ping(), new Ping()], slow);
        await Eventually.TrueAsync(() => Volatile.Read(ref running) == 2, "two run");
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada"))); // Not behind them.
        mayEnd.SetResult();
        await Task.WhenAll(handles.Select(handle => handle.WaitAsync(Bound)));
        Assert.Equal(2, most);
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada"), slow));
    }

    private static void InterlockedMax(ref int most, int now)
    {
        for (var seen = Volatile.Read(ref most); seen < now; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, now, seen);
        }
    }

    [Fact]
    public async Task A_worker_that_adds_handlers_runs_those_alone()
    {
        var host = await StartAsync(errand => errand
            .AddHandler((Greet task, TaskContext _) => $"first {task.Name}")
            .AddWorker("other", worker => worker
                .ConfigureWorker(options => options with { Queues = ["other"] })
                .AddHandler((Greet task, TaskContext _) => $"other {task.Name}")));

        Assert.Equal("first Ada", await RunAsync(host, new Greet("Ada")));
        Assert.Equal("other Ada", await RunAsync(host, new Greet("Ada"), new EnqueueOptions { Queue = "other" }));
    }

    [Fact]
    public async Task Without_a_handler_of_its_own_the_first_worker_is_left_out()
    {
        var host = await StartAsync(errand => errand
            .AddWorker("fast", worker => worker.AddHandler<GreetHandler>())
            .AddWorker("slow", worker => worker
                .ConfigureWorker(options => options with { Queues = ["slow"] }).AddHandler((Ping _, TaskContext _) => Task.CompletedTask)));

        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        await RunAsync(host, new Ping(), new EnqueueOptions { Queue = "slow" });
        Assert.Equal(2, Started().Length);
    }

    [Fact]
    public async Task Its_options_begin_as_those_of_the_first_and_the_configuration_changes_them_before_the_code()
    {
        var builder = NewBuilder(
            ("Errand:Worker:Concurrency", "9"), ("Errand:Workers:slow:Queues:0", "a"), ("Errand:Workers:slow:Queues:1", "b=2"),
            ("Errand:Workers:Big:Concurrency", "3"));
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>()
            .AddWorker("slow").AddWorker("big", worker => worker with { Queues = ["big"], Concurrency = worker.Concurrency + 1 }));
        await StartAsync(builder);

        Assert.Equal(["4 handlers at once on big.", "9 handlers at once on a, b=2.", "9 handlers at once on default."], Started());
    }

    [Fact]
    public async Task Modules_may_each_add_to_a_worker_and_leave_it_out_again()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddWorker("slow", worker => worker.AddHandler<GreetHandler>()));
        builder.Services.AddErrand(errand => errand.AddWorker("Slow", worker => worker.AddHandler<PingPongHandler>()));
        builder.Services.AddErrand(errand => errand.AddWorker("none", worker => worker.AddHandler<GreetHandler>().WithoutWorker()));
        var host = await StartAsync(builder);

        Assert.Single(Started());
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        await RunAsync(host, new Pong());
    }

    [Fact]
    public async Task A_host_without_a_worker_has_none_of_them()
    {
        await StartAsync(errand => errand.AddHandler<GreetHandler>().AddWorker("slow").WithoutWorker());
        Assert.Empty(Started());
    }

    [Fact]
    public async Task All_of_them_stop_with_the_host()
    {
        var host = await StartAsync(errand => errand.AddHandler<GreetHandler>().AddWorker("a").AddWorker("b"));
        await host.StopAsync();
        Assert.Equal(3, Log.Entries.Count(entry => entry.Id == 101));
    }

    [Fact]
    public async Task What_is_wrong_with_a_worker_is_told_with_its_path()
    {
        var builder = NewBuilder(("Errand:Workers:slow:Lease", "x"));
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>().AddWorker("slow", worker => worker
            .ConfigureWorker(options => options with { Concurrency = 0 }).AddHandler((Ping _, TaskContext _, Random _) => Task.CompletedTask)));
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));

        Assert.Equal(
            [
                "Errand:Workers:slow:Lease is 'x'; allowed is a duration such as 00:00:30 or 7.00:00:00",
                "Errand:Workers:slow:Concurrency is 0; allowed is 1 to 10,000",
                "the handler of Ping asks for Random, which is not registered",
            ],
            refused.Problems);
    }

    [Fact]
    public void What_belongs_to_all_workers_cannot_be_set_in_one()
    {
        var services = new ServiceCollection();
        foreach (var set in (Action<ErrandBuilder>[])[
            worker => worker.UseSqlite(":memory:"), worker => worker.ConfigureQueue(queue => queue),
            worker => worker.AddWorker("b"), worker => worker.WaitForStore(TimeSpan.Zero)])
        {
            var thrown = Assert.Throws<InvalidOperationException>(() => services.AddErrand(errand => errand.AddWorker("a", set)));
            Assert.Contains("within AddWorker(\"a\", …)", thrown.Message, StringComparison.Ordinal);
        }

        Assert.Throws<ArgumentException>(() => services.AddErrand(errand => errand.AddWorker("a:b")));
    }
}
