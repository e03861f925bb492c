#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend, new TaskQueueOptions { Middleware = [new TenantMiddleware()] });

var handlers = new TaskHandlers().Add<Invoice>((task, context) =>
{
    Console.WriteLine($"attempt {context.Attempt}: invoice {task.Number} of {TenantMiddleware.Current}");
    return context.Attempt < 2 ? throw new IOException("The printer is busy.") : Task.CompletedTask;
});
var options = new TaskWorkerOptions { Middleware = [new TenantMiddleware()], FailureHandlers = [new Reporter()] };
await using var worker = new TaskWorker(backend, handlers, options);
await worker.StartAsync();

TenantMiddleware.Current = "seven";
var retry = RetryPolicy.Fixed(TimeSpan.FromMilliseconds(50), maxAttempts: 3);
var invoice = await queue.EnqueueAsync(new Invoice(1), new EnqueueOptions { Retry = retry });
await invoice.WaitAsync(TimeSpan.FromSeconds(10));

public sealed record Invoice(int Number) : ITask;

public sealed class TenantMiddleware : ITaskMiddleware
{
    private static readonly AsyncLocal<string?> Tenant = new();

    public static string? Current { get => Tenant.Value; set => Tenant.Value = value; }

    public ValueTask EnqueueAsync(EnqueueContext context, Func<ValueTask> next)
    {
        context.AddHeader("tenant", Current ?? "nobody");
        return next();
    }

    public async ValueTask ExecuteAsync(TaskContext context, Func<ValueTask> next)
    {
        Current = context.Headers["tenant"];
        await next();
    }
}

public sealed class Reporter : ITaskFailureHandler
{
    public ValueTask<RetryDecision?> HandleAsync(FailedAttempt attempt, TaskContext context)
    {
        Console.WriteLine($"reported for {context.Headers["tenant"]}: {attempt.Exception.Message}");
        return default;                                             // no decision: the task's policy decides
    }
}
