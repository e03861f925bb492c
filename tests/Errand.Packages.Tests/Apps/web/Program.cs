using Errand;

var builder = WebApplication.CreateBuilder(args);
builder.AddErrand(errand => errand.UseSqlite("tasks.db").AddHandler((Greet task) => $"Hello, {task.Name}"));
var app = builder.Build();

app.MapGet("/greet/{name}", async (string name, ITaskQueue queue) =>
    await (await queue.EnqueueAsync(new Greet(name))).WaitAsync(TimeSpan.FromMinutes(1)));

app.Run();

public sealed record Greet(string Name) : ITask<string>;
