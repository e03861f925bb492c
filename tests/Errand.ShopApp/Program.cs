using Errand;
using Errand.ShopApp;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

// An application for tests of Errand.Testing: it knows nothing of them.
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<Outbox>();
builder.Services.AddDbContext<Shop>((services, options) =>
    options.UseSqlite(builder.Configuration.GetConnectionString("Shop")).UseErrand(services));
builder.Services.AddErrand(errand => errand
    .UseSqlite("production/tasks.db") // In a folder that does not exist.
    .AddHandler<ConfirmationHandler>()
    .AddHandler<ImportHandler>()
    .AddWorker("reports", worker => worker
        .ConfigureWorker(options => options with { Queues = ["reports"] })
        .AddHandler((MakeReport task, TaskContext _, Outbox outbox) => outbox.AddAsync($"report {task.Year}"))));
builder.Services.AddErrand("audit", errand => errand
    .UseSqlite("production/audit.db")
    .AddHandler((Audit task, TaskContext _, Outbox outbox) => outbox.AddAsync($"audit {task.What}")));

var app = builder.Build();
app.MapPost("/orders", async (string mail, bool fail, Shop shop) =>
{
    var order = new Order { Mail = mail };
    shop.Orders.Add(order);
    shop.Enqueue(() => new SendConfirmation(order.Id));
    if (fail)
    {
        shop.Orders.Add(new Order { Mail = null! });
    }

    await shop.SaveChangesAsync();
    return order.Id;
});
app.MapPost("/orders/in-transaction", async (bool commit, Shop shop, ITaskQueue queue) =>
{
    await using var transaction = await shop.Database.BeginTransactionAsync();
    var order = new Order { Mail = "ada@example.org" };
    shop.Orders.Add(order);
    await shop.SaveChangesAsync();
    await queue.EnqueueAsync(
        new SendConfirmation(order.Id), new EnqueueOptions { Transaction = transaction.GetDbTransaction() });
    if (commit)
    {
        await transaction.CommitAsync();
    }
});
app.MapPost("/orders/by-hand", async (bool commit, IConfiguration configuration, ITaskQueue queue) =>
{
    await using var connection = new SqliteConnection(configuration.GetConnectionString("Shop"));
    await connection.OpenAsync();
    await using var transaction = connection.BeginTransaction();
    await queue.EnqueueAsync(new SendConfirmation(7), new EnqueueOptions { Transaction = transaction });
    if (commit)
    {
        await transaction.CommitAsync();
    }
});
app.MapPost("/reports/{year:int}", async (int year, ITaskQueue queue) =>
    (await queue.EnqueueAsync(new MakeReport(year), new EnqueueOptions { Queue = "reports" })).Id);
app.MapPost("/audit/{what}", async (string what, [FromKeyedServices("audit")] ITaskQueue queue) =>
    (await queue.EnqueueAsync(new Audit(what), new EnqueueOptions { Delay = TimeSpan.FromHours(1) })).Id);
app.MapGet("/waiting", async (IQueueInspector inspector) =>
    (await inspector.GetOverviewAsync()).Count(TaskState.Pending));
app.Run();
