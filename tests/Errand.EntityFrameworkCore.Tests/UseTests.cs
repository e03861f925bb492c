using Errand.Sqlite;
using Errand.TestKit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Errand.EntityFrameworkCore.Tests;

/// <summary>How contexts are given a queue, in a host and without one.</summary>
public sealed class UseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    /// <summary>An existing application that has a table called Tasks and keeps it.</summary>
    [Fact]
    public async Task An_existing_application_adopts_errand_in_its_own_file()
    {
        var connection = $"Data Source={_folder.File("shop.db")};Pooling=False";
        await using (var before = new Shop(new DbContextOptionsBuilder<Shop>().UseSqlite(connection).Options))
        {
            await before.Database.EnsureCreatedAsync(Token);
            before.Tasks.Add(new ToDo { Title = "water the plants" });
            await before.SaveChangesAsync(Token);
        }

        var tables = Tables(connection);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration["ConnectionStrings:shop"] = connection;
        builder.Services.AddDbContext<Shop>((services, options) => options.UseSqlite(connection).UseErrand(services));
        builder.AddErrand(errand => errand.UseSqlite(connectionName: "shop").AddHandler(async (Confirm task, TaskContext _, Shop shop) =>
            await shop.Orders.CountAsync(one => one.Id == task.OrderId)));
        using var host = builder.Build();
        await host.StartAsync(Token);

        UnsavedTask<int> task;
        await using (var scope = host.Services.CreateAsyncScope())
        {
            var shop = scope.ServiceProvider.GetRequiredService<Shop>();
            await shop.Database.EnsureCreatedAsync(Token);
            var order = new Order { What = "a lamp" };
            shop.Orders.Add(order);
            task = shop.Enqueue(() => new Confirm(order.Id));
            await shop.SaveChangesAsync(Token);
            Assert.Equal("water the plants", (await shop.Tasks.SingleAsync(Token)).Title);
        }

        Assert.Equal(1, await task.Handle.WaitAsync(Eventually.Bound, Token));
        Assert.Equal(tables, Tables(connection).Where(table => !table.StartsWith("errand_", StringComparison.Ordinal)));
        await host.StopAsync(Token);
    }

    private static List<string> Tables(string connection)
    {
        using var open = new SqliteConnection(connection);
        open.Open();
        using var command = open.CreateCommand();
        command.CommandText = "select name || ' ' || sql from sqlite_schema where type = 'table' order by name";
        using var rows = command.ExecuteReader();
        List<string> tables = [];
        while (rows.Read())
        {
            tables.Add(rows.GetString(0));
        }

        return tables;
    }

    [Fact]
    public async Task A_context_uses_a_queue_with_a_key()
    {
        var path = _folder.File("shop.db");
        await using var services = new ServiceCollection().AddLogging()
            .AddErrand("shop", errand => errand.UseSqlite(path).WithoutWorker())
            .AddDbContextPool<Shop>((services, options) => options.UseSqlite($"Data Source={path};Pooling=False").UseErrand(services, "shop"))
            .BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        var shop = scope.ServiceProvider.GetRequiredService<Shop>();
        await shop.Database.EnsureCreatedAsync(Token);
        var task = shop.Enqueue(new Tidy());
        await shop.SaveChangesAsync(Token);
        Assert.Null(await services.GetRequiredKeyedService<ITaskQueue>("shop").GetResultAsync(task.Id, cancellationToken: Token));
    }

    [Fact]
    public async Task Misuse_is_told_with_the_remedy()
    {
        await using var without = new Shop(new DbContextOptionsBuilder<Shop>().UseSqlite("Data Source=:memory:").Options);
        Assert.Contains(
            "UseErrand(services)", Assert.Throws<InvalidOperationException>(() => without.Enqueue(new Tidy())).Message, StringComparison.Ordinal);

        await using var none = new ServiceCollection().BuildServiceProvider();
        await using var nowhere = new Shop(new DbContextOptionsBuilder<Shop>().UseSqlite("Data Source=:memory:").UseErrand(none).Options);
        nowhere.Enqueue(new Tidy());
        Assert.Contains(
            "Call AddErrand", (await Assert.ThrowsAsync<InvalidOperationException>(() => nowhere.SaveChangesAsync(Token))).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOptionsException>(() => nowhere.Enqueue(new Tidy(), new EnqueueOptions { Queue = "" }));
        await using var connection = new SqliteConnection("Data Source=:memory:");
        await connection.OpenAsync(Token);
        await using var transaction = connection.BeginTransaction();
        Assert.Throws<ArgumentException>(() => nowhere.Enqueue(new Tidy(), new EnqueueOptions { Transaction = transaction }));
    }

    [Fact]
    public async Task Tasks_in_another_database_fail_the_save()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await using var queue = new TaskQueue(backend);
        await using var shop = new Shop(
            new DbContextOptionsBuilder<Shop>().UseSqlite($"Data Source={_folder.File("shop.db")};Pooling=False").UseErrand(queue).Options);
        await shop.Database.EnsureCreatedAsync(Token);
        shop.Orders.Add(new Order { What = "a lamp" });
        shop.Enqueue(new Tidy());
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => shop.SaveChangesAsync(Token));
        Assert.Contains("must be in one file", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await shop.Orders.CountAsync(Token));
    }

    [Fact]
    public async Task The_provider_in_memory_saves_tasks_after_the_changes()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var shop = new Shop(new DbContextOptionsBuilder<Shop>().UseInMemoryDatabase("shop").UseErrand(queue).Options);
        shop.Orders.Add(new Order { What = "a lamp" });
        var task = shop.Enqueue(new Tidy());
        await shop.SaveChangesAsync(Token);
        Assert.Null(await queue.GetResultAsync(task.Id, cancellationToken: Token));
    }
}
