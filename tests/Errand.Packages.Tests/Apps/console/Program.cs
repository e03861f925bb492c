using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend("tasks.db");
await using var queue = new TaskQueue(backend);
await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Greet, string>((task, _) => $"Hello, {task.Name}"));
await worker.StartAsync();

var greeting = await queue.EnqueueAsync(new Greet("Ada"));
Console.WriteLine(await greeting.WaitAsync(TimeSpan.FromMinutes(1)));

public sealed record Greet(string Name) : ITask<string>;
