using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting.Tests;

/// <summary>Several queues in one host, each with its store and its worker.</summary>
public sealed class KeyedTests : HostTest
{
    private sealed class Caller([FromKeyedServices("reports")] ITaskQueue reports, ITaskQueue queue)
    {
        public ITaskQueue Reports => reports;

        public ITaskQueue Queue => queue;
    }

    [Fact]
    public async Task A_queue_with_a_key_stands_beside_the_one_without()
    {
        var builder = NewBuilder();
        builder.Services.AddSingleton<Caller>()
            .AddErrand(errand => errand.UseSqlite(File("one.db")).AddHandler((Greet task, TaskContext _) => $"one {task.Name}"))
            .AddErrand("reports", errand => errand.UseSqlite(File("two.db")).AddHandler((Greet task, TaskContext _) => $"two {task.Name}"));
        var host = await StartAsync(builder);
        var caller = host.Services.GetRequiredService<Caller>();

        Assert.Equal("one Ada", await (await caller.Queue.EnqueueAsync(new Greet("Ada"))).WaitAsync(Bound));
        Assert.Equal("two Ada", await (await caller.Reports.EnqueueAsync(new Greet("Ada"))).WaitAsync(Bound));
        Assert.Equal(File("two.db"), Assert.IsType<Sqlite.SqliteBackend>(host.Services.GetRequiredKeyedService<IBackend>("reports")).Path);
    }

    [Fact]
    public async Task A_queue_with_a_key_needs_no_other()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand("reports", errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>());
        var host = await StartAsync(builder);

        var queue = host.Services.GetRequiredKeyedService<ITaskQueue>("reports");
        Assert.Equal("Hello, Ada", await (await queue.EnqueueAsync(new Greet("Ada"))).WaitAsync(Bound));
        Assert.Null(host.Services.GetService<ITaskQueue>());
    }

    [Fact]
    public async Task A_key_has_its_own_sections_of_the_configuration()
    {
        var builder = NewBuilder(("Errand:reports:Sqlite:Path", Database), ("Errand:Sqlite:Path", ":memory:"));
        builder.Services
            .AddErrand(errand => errand.UseSqlite().WithoutWorker())
            .AddErrand("reports", errand => errand.UseSqlite().WithoutWorker());
        var host = await StartAsync(builder);

        Assert.Equal(Database, Assert.IsType<Sqlite.SqliteBackend>(host.Services.GetRequiredKeyedService<IBackend>("reports")).Path);
        Assert.Equal(":memory:", Assert.IsType<Sqlite.SqliteBackend>(host.Services.GetRequiredService<IBackend>()).Path);
    }

    [Theory]
    [InlineData("worker")]
    [InlineData("Sqlite")]
    [InlineData("a:b")]
    public async Task A_key_that_is_the_name_of_a_section_is_refused(string key)
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(key, errand => errand.UseSqlite(":memory:").WithoutWorker());
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));
        Assert.Contains($"the key '{key}' cannot be told from", refused.Message, StringComparison.Ordinal);
    }
}
