using Errand.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>The schema <c>public</c> with tables of the application's own, one of them named <c>tasks</c>: in either order.</summary>
public sealed class SharedSchemaTests(PostgresServer server) : IAsyncLifetime
{
    private readonly string _database = PostgresServer.NewSchema();
    private string _connectionString = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create database {_database}");
        _connectionString = new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Database = _database }.ConnectionString;
    }

    public async ValueTask DisposeAsync() => await PostgresServer.ExecuteAsync(
        server.ConnectionString(), $"drop database {_database} with (force)");

    private PostgresBackend Backend() => new(_connectionString, new PostgresBackendOptions { Schema = "public" });

    [Fact]
    public async Task Tables_that_Entity_Framework_made_first_are_left_alone()
    {
        await using var todo = new Todo(_connectionString);
        Assert.True(await todo.Database.EnsureCreatedAsync(Token));
        todo.Items.Add(new Item { Id = 1, Title = "before" });
        await todo.SaveChangesAsync(Token);

        await using var backend = Backend();
        await WorksAsync(backend, todo);

        Assert.Equal("before", (await todo.Items.SingleAsync(item => item.Id == 1, Token)).Title);
    }

    [Fact]
    public async Task Entity_Framework_makes_its_tables_beside_those_that_are_there()
    {
        await using var backend = Backend();
        await backend.InitializeAsync(Token);
        await using var todo = new Todo(_connectionString);
        await todo.Database.GetService<IRelationalDatabaseCreator>().CreateTablesAsync(Token);

        await WorksAsync(backend, todo);
    }

    /// <summary>A task and an entity are committed together, and the task runs.</summary>
    private static async Task WorksAsync(PostgresBackend backend, Todo todo)
    {
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Count, int>((count, _) => count.Number));
        await worker.StartAsync(Token);
        TaskHandle<int> handle;
        await using (var transaction = await todo.Database.BeginTransactionAsync(Token))
        {
            todo.Items.Add(new Item { Id = 2, Title = "together" });
            await todo.SaveChangesAsync(Token);
            handle = await queue.EnqueueAsync(
                new Count(7), new EnqueueOptions { Transaction = transaction.GetDbTransaction() }, Token);
            await transaction.CommitAsync(Token);
        }

        Assert.Equal(7, await handle.WaitAsync(Eventually.Bound, Token));
        Assert.Equal("together", (await todo.Items.SingleAsync(item => item.Id == 2, Token)).Title);
    }

    private sealed class Todo(string connectionString) : DbContext
    {
        public DbSet<Item> Items => Set<Item>();

        protected override void OnConfiguring(DbContextOptionsBuilder options) => options.UseNpgsql(connectionString);

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Item>(item =>
        {
            item.ToTable("tasks");
            item.Property(one => one.Id).ValueGeneratedNever();
        });
    }

    private sealed class Item
    {
        public int Id { get; init; }

        public string Title { get; init; } = "";
    }
}
