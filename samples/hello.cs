#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);
await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Greet, string>((task, _) => $"Hello, {task.Name}"));
await worker.StartAsync();

TaskHandle<string> handle = await queue.EnqueueAsync(new Greet("Ada"));
Console.WriteLine(await handle.WaitAsync(TimeSpan.FromSeconds(5)));

[TaskName("greet")] public sealed record Greet(string Name) : ITask<string>;
