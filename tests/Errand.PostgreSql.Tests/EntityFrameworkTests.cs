using Errand.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Errand.PostgreSql.Tests;

/// <summary>Tasks and entities that are saved together, and work and its completion.</summary>
public sealed class EntityFrameworkTests(PostgresServer server) : IAsyncLifetime
{
    private readonly string _schema = PostgresServer.NewSchema();
    private PostgresBackend _backend = null!;
    private TaskQueue _queue = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema });
        _queue = new TaskQueue(_backend);
        await _queue.InitializeAsync(Token);
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create table {_schema}.orders (id int primary key)");
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private Orders Open() => new(server.ConnectionString(), _schema);

    private Task<TaskHandle<int>> EnqueueAsync(Orders orders, int number) => _queue.EnqueueAsync(
        new Count(number), new EnqueueOptions { Transaction = orders.Database.CurrentTransaction!.GetDbTransaction() }, Token);

    private async Task IsThereAsync(TaskHandle handle) => Assert.Null(await _queue.GetResultAsync(handle.Id, cancellationToken: Token));

    private async Task IsNotThereAsync(TaskHandle handle) => await Assert.ThrowsAsync<TaskNotFoundException>(() => IsThereAsync(handle));

    [Fact]
    public async Task A_task_and_an_entity_are_saved_together_or_not_at_all()
    {
        await using var orders = Open();
        TaskHandle kept, dropped;
        await using (var transaction = await orders.Database.BeginTransactionAsync(Token))
        {
            orders.Items.Add(new Order { Id = 1 });
            await orders.SaveChangesAsync(Token);
            kept = await EnqueueAsync(orders, 1);
            await transaction.CommitAsync(Token);
        }

        await using (var transaction = await orders.Database.BeginTransactionAsync(Token))
        {
            orders.Items.Add(new Order { Id = 2 });
            await orders.SaveChangesAsync(Token);
            dropped = await EnqueueAsync(orders, 2);
            await transaction.RollbackAsync(Token);
        }

        await IsThereAsync(kept);
        await IsNotThereAsync(dropped);
        Assert.Equal(1, await orders.Items.CountAsync(Token));
    }

    [Fact]
    public async Task A_savepoint_takes_back_both_the_task_and_the_entity()
    {
        await using var orders = Open();
        await using var transaction = await orders.Database.BeginTransactionAsync(Token);
        var kept = await EnqueueAsync(orders, 1);
        await transaction.CreateSavepointAsync("here", Token);
        orders.Items.Add(new Order { Id = 3 });
        await orders.SaveChangesAsync(Token);
        var dropped = await EnqueueAsync(orders, 2);
        await transaction.RollbackToSavepointAsync("here", Token);
        await transaction.CommitAsync(Token);

        await IsThereAsync(kept);
        await IsNotThereAsync(dropped);
        Assert.Equal(0, await orders.Items.CountAsync(Token));
    }

    [Fact]
    public async Task A_handler_completes_its_task_with_its_entity()
    {
        var handlers = new TaskHandlers().Add<Count, int>(async (count, context) =>
        {
            await using var orders = Open();
            await using var transaction = await orders.Database.BeginTransactionAsync(Token);
            orders.Items.Add(new Order { Id = (count.Number * 10) + context.Attempt });
            await orders.SaveChangesAsync(Token);
            await context.CompleteInAsync(orders.Database.CurrentTransaction!.GetDbTransaction(), count.Number, Token);
            if (context.Attempt == 1)
            {
                throw new InvalidOperationException("Before the commit.");
            }

            await transaction.CommitAsync(Token);
            return 0;
        });
        await using var worker = new TaskWorker(_backend, handlers);
        await worker.StartAsync(Token);
        var options = new EnqueueOptions { Retry = new RetryPolicy { Delay = TimeSpan.Zero } };

        var handle = await _queue.EnqueueAsync(new Count(7), options, Token);

        Assert.Equal(7, await handle.WaitAsync(Eventually.Bound, Token));
        await using var saved = Open();
        Assert.Equal(72, (await saved.Items.SingleAsync(Token)).Id);
    }

    private sealed class Orders(string connectionString, string schema) : DbContext
    {
        public DbSet<Order> Items => Set<Order>();

        protected override void OnConfiguring(DbContextOptionsBuilder options) =>
            options.UseNpgsql($"{connectionString};Search Path={schema}");

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Order>(order =>
        {
            order.ToTable("orders");
            order.Property(one => one.Id).HasColumnName("id").ValueGeneratedNever();
        });
    }

    private sealed class Order
    {
        public int Id { get; init; }
    }
}
