// An application with a table of its own that is called Tasks, in a file that Errand comes to as well. Its arguments are steps.
using Errand;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

foreach (var step in args)
{
    if (step is "create" or "migrate" or "add" or "show")
    {
        await using var shop = new Shop(new DbContextOptionsBuilder<Shop>().UseSqlite("Data Source=shop.db").Options);
        await OwnAsync(shop, step);
    }
    else
    {
        await WithErrandAsync(step);
    }
}

// What the application has always done.
static async Task OwnAsync(Shop shop, string step)
{
    switch (step)
    {
        case "create":
            await shop.Database.EnsureCreatedAsync();
            break;
        case "migrate":
            await shop.Database.MigrateAsync();
            break;
        case "add":
            shop.Tasks.Add(new Todo { Title = "buy a lamp" });
            await shop.SaveChangesAsync();
            break;
        default:
            var tables = await shop.Database.SqlQuery<string>($"select sql as Value from sqlite_master where sql is not null and tbl_name not like 'errand%' order by name").ToListAsync();
            Console.WriteLine(string.Join("\n", tables));
            Console.WriteLine($"{await shop.Tasks.CountAsync()} rows");
            break;
    }
}

// What it does since it has Errand.
static async Task WithErrandAsync(string step)
{
    var builder = Host.CreateApplicationBuilder();
    builder.Services.AddDbContext<Shop>((services, options) => options.UseSqlite("Data Source=shop.db").UseErrand(services));
    builder.AddErrand(errand => errand.UseSqlite("shop.db")
        .AddHandler(async (Remind task, Shop shop) => $"{(await shop.Tasks.FindAsync(task.Id))!.Title}: done")
        .AddHandler((Ping _) => "pong"));
    using var host = builder.Build();
    await host.StartAsync();
    await using var scope = host.Services.CreateAsyncScope();
    var shop = scope.ServiceProvider.GetRequiredService<Shop>();
    var queue = scope.ServiceProvider.GetRequiredService<ITaskQueue>();
    switch (step)
    {
        case "ping":
            Console.WriteLine(await (await queue.EnqueueAsync(new Ping())).WaitAsync(TimeSpan.FromMinutes(1)));
            break;
        case "create-with-errand":
            await shop.Database.EnsureCreatedAsync();
            break;
        default:
            var row = new Todo { Title = step };
            shop.Tasks.Add(row);
            var task = shop.Enqueue(() => new Remind(row.Id));
            await shop.SaveChangesAsync();
            Console.WriteLine(await task.Handle.WaitAsync(TimeSpan.FromMinutes(1)));
            break;
    }

    await host.StopAsync();
}

public sealed record Ping : ITask<string>;

public sealed record Remind(int Id) : ITask<string>;

public sealed class Todo
{
    public int Id { get; init; }

    public required string Title { get; init; }
}

public sealed class Shop(DbContextOptions<Shop> options) : DbContext(options)
{
    public DbSet<Todo> Tasks => Set<Todo>();

    // The only migration is written by hand, without a snapshot of the model.
    protected override void OnConfiguring(DbContextOptionsBuilder options) =>
        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.PendingModelChangesWarning));
}

[DbContext(typeof(Shop)), Migration("20260101000000_Tasks")]
public sealed class TasksMigration : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateTable(
        "Tasks",
        table => new
        {
            Id = table.Column<int>(nullable: false).Annotation("Sqlite:Autoincrement", true),
            Title = table.Column<string>(nullable: false),
        },
        constraints: table => table.PrimaryKey("PK_Tasks", row => row.Id));
}
