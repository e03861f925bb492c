using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace Errand.EntityFrameworkCore.Tests;

/// <summary>The application's context: it has a table called Tasks of its own.</summary>
public class Shop(DbContextOptions options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<ToDo> Tasks => Set<ToDo>();
}

public sealed class Order
{
    public int Id { get; private set; }

    public required string What { get; init; }

    public IList<OrderLine> Lines { get; init; } = [];
}

public sealed class OrderLine
{
    public int Id { get; private set; }

    public int OrderId { get; private set; }

    public int Count { get; init; }
}

public sealed class ToDo
{
    public int Id { get; private set; }

    public required string Title { get; set; }

    [System.ComponentModel.DataAnnotations.ConcurrencyCheck]
    public int Version { get; set; }
}

[TaskName("confirm")]
public sealed record Confirm(int OrderId, string Text = "") : ITask<int>;

[TaskName("tidy")]
public sealed record Tidy : ITask;

[DbContext(typeof(Shop))]
[Migration("20260101000000_First")]
public sealed class First : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable(
            "Orders", table => new { Id = table.Column<int>().Annotation("Sqlite:Autoincrement", true), What = table.Column<string>() },
            constraints: table => table.PrimaryKey("PK_Orders", one => one.Id));
        migrationBuilder.CreateTable(
            "OrderLine",
            table => new { Id = table.Column<int>().Annotation("Sqlite:Autoincrement", true), OrderId = table.Column<int>(), Count = table.Column<int>() },
            constraints: table => table.PrimaryKey("PK_OrderLine", one => one.Id));
        migrationBuilder.CreateTable(
            "Tasks",
            table => new { Id = table.Column<int>().Annotation("Sqlite:Autoincrement", true), Title = table.Column<string>(), Version = table.Column<int>() },
            constraints: table => table.PrimaryKey("PK_Tasks", one => one.Id));
    }
}
