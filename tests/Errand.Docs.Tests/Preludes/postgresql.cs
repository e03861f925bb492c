global using Errand.PostgreSql;
global using Npgsql;

public sealed class GreetHandler : ITaskHandler<Greet, string> { public Task<string> HandleAsync(Greet task, TaskContext context) => Task.FromResult(""); }
