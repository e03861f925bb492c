// dotnet run --project samples/WebApp -- --urls http://localhost:5000
// id=$(curl -s 'localhost:5000/greet?delay=00:00:20' --json '{ "name": "Ada" }')
// Kill the program, with -9 if you like, and start it again: when the time has come, the task runs.
// curl localhost:5000/tasks/$id localhost:5000/health
using Errand;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddErrand(errand => errand.UseSqlite("tasks.db").AddHandler<GreetHandler>());
builder.Services.AddHealthChecks().AddErrand();

var app = builder.Build();
app.MapPost("/greet", async (Greet greet, TimeSpan? delay, ITaskQueue queue) =>
    (await queue.EnqueueAsync(greet, new EnqueueOptions { Delay = delay })).Id);
app.MapGet("/tasks/{id}", async (TaskId id, ITaskQueue queue) =>
{
    try
    {
        return await queue.GetResultAsync(id) switch
        {
            null => Results.Accepted(value: "It waits, or runs."),
            { State: TaskState.Succeeded } result => Results.Ok(result.GetValue<string>()),
            var result => Results.Problem(result.Error, title: $"{result.State}"),
        };
    }
    catch (TaskNotFoundException)
    {
        return Results.NotFound();
    }
});
app.MapHealthChecks("/health");
app.Run();

[TaskName("greet")] public sealed record Greet(string Name) : ITask<string>;

public sealed class GreetHandler(ILogger<GreetHandler> logger) : ITaskHandler<Greet, string>
{
    public Task<string> HandleAsync(Greet task, TaskContext context)
    {
        logger.LogInformation("Greeting {Name}", task.Name);
        return Task.FromResult($"Hello, {task.Name}");
    }
}
