using Microsoft.EntityFrameworkCore.Storage;

namespace Errand.ShopApp;

/// <summary>With a scoped service.</summary>
public sealed class ConfirmationHandler(Shop shop, Outbox outbox) : ITaskHandler<SendConfirmation>
{
    public async Task HandleAsync(SendConfirmation task, TaskContext context)
    {
        var order = await shop.Orders.FindAsync([task.Order], context.CancellationToken)
            ?? throw new KeyNotFoundException($"There is no order {task.Order}.");
        await outbox.AddAsync($"{order.Mail} attempt {context.Attempt} in {context.Queue}");
    }
}

/// <summary>Completes its task in a transaction of its own.</summary>
public sealed class ImportHandler(Shop shop) : ITaskHandler<Import, int>
{
    public async Task<int> HandleAsync(Import task, TaskContext context)
    {
        await using var transaction = await shop.Database.BeginTransactionAsync(context.CancellationToken);
        shop.Orders.Add(new Order { Mail = $"{task.Lines} lines" });
        await shop.SaveChangesAsync(context.CancellationToken);
        await context.CompleteInAsync(transaction.GetDbTransaction(), task.Lines);
        if (task.Commit)
        {
            await transaction.CommitAsync(context.CancellationToken);
        }

        return task.Lines;
    }
}
