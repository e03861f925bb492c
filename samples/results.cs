#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:", new SqliteBackendOptions { Retention = TimeSpan.FromHours(6) });
await using var queue = new TaskQueue(backend);

TaskHandle<double> handle = await queue.EnqueueAsync(new Average([1, 2, 6]));
Console.WriteLine(await queue.GetResultAsync(handle.Id) is null ? "has not ended" : "has ended");

var handlers = new TaskHandlers().Add<Average, double>((task, _) => task.Of.Average());
await using var worker = new TaskWorker(backend, handlers);
await worker.StartAsync();
Console.WriteLine(await handle.WaitAsync(TimeSpan.FromSeconds(10)));

TaskResult? result = await queue.GetResultAsync(handle.Id, TimeSpan.FromSeconds(10));    // who has the id alone
Console.WriteLine($"{result!.State} after {result.Attempts} attempt: {result.GetValue<double>()}");

var nothing = await queue.EnqueueAsync(new Average([]), new EnqueueOptions { Retry = RetryPolicy.None });
try
{
    await nothing.WaitAsync(TimeSpan.FromSeconds(10));
}
catch (TaskFailedException e)
{
    Console.WriteLine(e.Message);
}

try
{
    await queue.GetResultAsync(new TaskId(4711));
}
catch (TaskNotFoundException e)
{
    Console.WriteLine(e.Message);
}

public sealed record Average(double[] Of) : ITask<double>;
