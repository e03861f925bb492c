#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

var options = new EnqueueOptions { UniqueKey = "customer 7" };
TaskHandle first = await queue.EnqueueAsync(new Sync(7), options);
TaskHandle second = await queue.EnqueueAsync(new Sync(7), options);
Console.WriteLine($"new: {first.IsNew}, {second.IsNew}; the same task: {first.Id == second.Id}");

var race = new EnqueueOptions { UniqueKey = "customer 10" };
var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => queue.EnqueueAsync(new Sync(10), race)));
Console.WriteLine($"100 callers at once made {answers.Count(one => one.IsNew)} task");

Sync[] many = [new(7), new(8), new(8), new(9)];
var handles = await queue.EnqueueManyAsync(many, task => new() { UniqueKey = $"customer {task.Customer}" });
Console.WriteLine($"in bulk: {string.Join(", ", handles.Select(one => one.IsNew))}");

await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Sync>((_, _) => { }));
await worker.StartAsync();
await first.WaitAsync(TimeSpan.FromSeconds(10));
Console.WriteLine($"after its end: {(await queue.EnqueueAsync(new Sync(7), options)).IsNew}");

var hourly = new EnqueueOptions { UniqueKey = "digest", UniqueFor = TimeSpan.FromHours(1) };
await (await queue.EnqueueAsync(new Sync(0), hourly)).WaitAsync(TimeSpan.FromSeconds(10));
Console.WriteLine($"after its end, within the hour: {(await queue.EnqueueAsync(new Sync(0), hourly)).IsNew}");

public sealed record Sync(int Customer) : ITask;
