using Errand;
using Microsoft.EntityFrameworkCore;

namespace EfCore;

/// <summary>The program's own tables, in the file that holds the tasks.</summary>
internal sealed class Shop(string path) : DbContext
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Confirmation> Confirmations => Set<Confirmation>();

    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
        optionsBuilder.UseSqlite($"Data Source={path};Pooling=False");
}

internal sealed class Order
{
    public int Id { get; init; }

    public required string What { get; init; }
}

internal sealed class Confirmation
{
    public int Id { get; init; }

    public int OrderId { get; init; }

    public int Attempt { get; init; }
}

[TaskName("confirm-order")]
public sealed record ConfirmOrder(int OrderId) : ITask;
