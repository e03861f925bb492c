#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

await queue.EnqueueAsync(new Remind("at once"));
var now = DateTimeOffset.UtcNow;
TaskHandle last = await queue.EnqueueAsync(new Remind("at its time"), new() { DueAt = now.AddSeconds(1.5) });
await queue.EnqueueAsync(new Remind("after a moment"), new() { Delay = TimeSpan.FromSeconds(0.1) });
TaskHandle offer = await queue.EnqueueAsync(new Remind("today only"), new() { ExpiresAt = now.AddSeconds(0.2) });

try
{
    await offer.WaitAsync(TimeSpan.FromSeconds(10));              // no worker runs yet: nobody starts it in time
}
catch (TaskFailedException e)
{
    Console.WriteLine($"today only: {e.Result.State}");
}

var handlers = new TaskHandlers().Add<Remind>((task, context) =>
    Console.WriteLine($"{task.What}: {(DateTimeOffset.UtcNow < context.DueAt ? "too early" : "not early")}"));
await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Concurrency = 1 });
await worker.StartAsync();
await last.WaitAsync(TimeSpan.FromSeconds(10));

public sealed record Remind(string What) : ITask;
