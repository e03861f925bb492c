#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

var started = new TaskCompletionSource();
var handlers = new TaskHandlers().Add<Export>(async (task, context) =>
{
    started.TrySetResult();
    await Task.Delay(TimeSpan.FromHours(1), context.CancellationToken);       // heeds its token
});
await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Concurrency = 1 });
await worker.StartAsync();

TaskHandle running = await queue.EnqueueAsync(new Export("2025"));
await started.Task;
TaskHandle waiting = await queue.EnqueueAsync(new Export("2026"));            // there is no free slot for it

Console.WriteLine($"waiting: {await queue.CancelAsync(waiting.Id)}");
Console.WriteLine($"running: {await queue.CancelAsync(running.Id)}");
try
{
    await running.WaitAsync(TimeSpan.FromSeconds(10));
}
catch (TaskFailedException e)
{
    Console.WriteLine($"running: {e.Result.State} in attempt {e.Result.Attempts}");
}

Console.WriteLine($"running: {await queue.CancelAsync(running.Id)}");

public sealed record Export(string Year) : ITask;
