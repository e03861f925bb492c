using Microsoft.EntityFrameworkCore;

namespace Errand.ShopApp;

public sealed record SendConfirmation(int Order) : ITask;

public sealed record MakeReport(int Year) : ITask;

public sealed record Audit(string What) : ITask;

public sealed record Import(int Lines, bool Commit) : ITask<int>;

public sealed class Order
{
    public int Id { get; set; }

    public required string Mail { get; set; }
}

public sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();
}

/// <summary>What the handlers have done.</summary>
public sealed class Outbox
{
    private readonly Lock _lock = new();
    private readonly List<string> _sent = [];

    public IReadOnlyList<string> Sent
    {
        get
        {
            lock (_lock)
            {
                return [.. _sent];
            }
        }
    }

    public Task AddAsync(string line)
    {
        lock (_lock)
        {
            _sent.Add(line);
        }

        return Task.CompletedTask;
    }
}
