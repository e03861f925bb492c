namespace Errand.Hosting.Tests;

[TaskName("greet")]
public sealed record Greet(string Name) : ITask<string>;

[TaskName("ping")]
public sealed record Ping(string Text = "") : ITask;

[TaskName("pong")]
public sealed record Pong : ITask;

public sealed class GreetHandler : ITaskHandler<Greet, string>
{
    public Task<string> HandleAsync(Greet task, TaskContext context) => Task.FromResult($"Hello, {task.Name}");
}

/// <summary>Handles two payloads, and asks for a service.</summary>
public sealed class PingPongHandler(Journal journal) : ITaskHandler<Ping>, ITaskHandler<Pong>
{
    public Task HandleAsync(Ping task, TaskContext context)
    {
        journal.Add($"ping {task.Text}");
        return Task.CompletedTask;
    }

    public Task HandleAsync(Pong task, TaskContext context)
    {
        journal.Add("pong");
        return Task.CompletedTask;
    }
}
