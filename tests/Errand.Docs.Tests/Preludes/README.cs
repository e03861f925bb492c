global using Errand.Testing;
global using Microsoft.EntityFrameworkCore;

public sealed record SendConfirmation(int OrderId) : ITask;
public sealed class Order { public int Id { get; init; } }
public sealed class Shop(DbContextOptions options) : DbContext(options) { public DbSet<Order> Orders => Set<Order>(); }

public static partial class Given
{
    public static Order order => null!;
    public static Shop shop => null!;
}
