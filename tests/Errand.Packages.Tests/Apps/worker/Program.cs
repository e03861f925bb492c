using Errand;
using Fresh;

var builder = Host.CreateApplicationBuilder(args);
builder.AddErrand(errand => errand.UseSqlite("tasks.db").AddHandler((Greet task) => $"Hello, {task.Name}"));
builder.Services.AddHostedService<Worker>();

var host = builder.Build();
host.Run();

public sealed record Greet(string Name) : ITask<string>;
