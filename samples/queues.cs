#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

List<TaskHandle> handles =
[
    .. await queue.EnqueueManyAsync([new Work("report 1"), new Work("report 2")]),
    .. await queue.EnqueueManyAsync(
        [new Work("alarm 1"), new Work("alarm 2"), new Work("alarm 3"), new Work("alarm 4")],
        new EnqueueOptions { Queue = "critical" }),
    await queue.EnqueueAsync(new Work("report for the board"), new EnqueueOptions { Priority = 10 }),
];
TaskHandle mail = await queue.EnqueueAsync(new Work("newsletter"), new EnqueueOptions { Queue = "mail-slow" });
await backend.PauseAsync("mail-slow");

var handlers = new TaskHandlers().Add<Work>((task, context) => Console.WriteLine($"{context.Queue}: {task.What}"));
var options = new TaskWorkerOptions { Concurrency = 1, Queues = ["default", new("critical", 3), "mail-*"] };
await using var worker = new TaskWorker(backend, handlers, options);
await worker.StartAsync();
await Task.WhenAll(handles.Select(handle => handle.WaitAsync(TimeSpan.FromSeconds(10))));

Console.WriteLine(await backend.ExplainAsync(mail.Id));
await backend.ResumeAsync("mail-slow");
await mail.WaitAsync(TimeSpan.FromSeconds(10));

public sealed record Work(string What) : ITask;
