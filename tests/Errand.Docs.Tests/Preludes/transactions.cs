global using Microsoft.Data.Sqlite;
global using Microsoft.EntityFrameworkCore;
global using Microsoft.EntityFrameworkCore.Storage;

public sealed record SendConfirmation(int OrderId) : ITask;
public sealed record ImportInvoice(string Url) : ITask;
public sealed class ConfirmationHandler : ITaskHandler<SendConfirmation>
{
    public Task HandleAsync(SendConfirmation task, TaskContext context) => Task.CompletedTask;
}
public sealed class Order { public int Id { get; init; } }
public sealed class Shop(DbContextOptions options) : DbContext(options) { public DbSet<Order> Orders => Set<Order>(); }

public static partial class Given
{
    public static Order order => null!;
    public static Shop shop => null!;
    public static SqliteConnection connection => null!;
    public static Task SaveOrderAsync(SqliteConnection connection, SqliteTransaction transaction, Order order) => Task.CompletedTask;
    public static Task<string> DownloadAsync(string url, CancellationToken cancellationToken) => Task.FromResult(url);
    public static Task SaveInvoiceAsync(SqliteConnection connection, SqliteTransaction transaction, string invoice) => Task.CompletedTask;
}
