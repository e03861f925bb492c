// dotnet run --project samples/EfCore -- shop.db
// An order and the task that confirms it are saved together; the confirmation and the end of its task as well.
using EfCore;
using Errand;
using Errand.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

var path = args.FirstOrDefault() ?? "shop.db";
await using (var shop = new Shop(path))
{
    await shop.Database.EnsureCreatedAsync(); // Before Errand: it creates nothing where any table is.
}

await using var backend = new SqliteBackend(path);
await using var queue = new TaskQueue(backend);
await queue.InitializeAsync();

await using var worker = new TaskWorker(backend, new TaskHandlers().Add<ConfirmOrder>(async (task, context) =>
{
    await using var shop = new Shop(path);
    await using var transaction = await shop.Database.BeginTransactionAsync(context.CancellationToken);
    shop.Confirmations.Add(new Confirmation { OrderId = task.OrderId, Attempt = context.Attempt });
    await shop.SaveChangesAsync(context.CancellationToken);
    await context.CompleteInAsync(transaction.GetDbTransaction());
    await transaction.CommitAsync();
}));
await worker.StartAsync();

var bought = await BuyAsync("a lamp", fails: false);
await bought.WaitAsync(TimeSpan.FromSeconds(30));
await Console.Out.WriteLineAsync("A lamp: ordered and confirmed.");
try
{
    await BuyAsync("a lamp that is sold out", fails: true);
}
catch (InvalidOperationException e)
{
    await Console.Out.WriteLineAsync($"{e.Message} Neither order nor task.");
}

await using (var shop = new Shop(path))
{
    await Console.Out.WriteLineAsync(
        $"{await shop.Orders.CountAsync()} orders, {await shop.Confirmations.CountAsync()} confirmations.");
}

async Task<TaskHandle> BuyAsync(string what, bool fails)
{
    await using var shop = new Shop(path);
    await using var transaction = await shop.Database.BeginTransactionAsync();
    var order = new Order { What = what };
    shop.Orders.Add(order);
    await shop.SaveChangesAsync();
    var handle = await queue.EnqueueAsync(
        new ConfirmOrder(order.Id), new EnqueueOptions { Transaction = transaction.GetDbTransaction() });
    if (fails)
    {
        throw new InvalidOperationException($"No order for {what}.");
    }

    await transaction.CommitAsync();
    return handle;
}
