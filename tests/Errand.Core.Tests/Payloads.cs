namespace Errand.Tests;

[TaskName("add")]
public sealed record Add(int Left, int Right) : ITask<int>;

[TaskName("ping")]
public sealed record Ping(string Text = "") : ITask;

public sealed record SendWelcomeEmail(string To) : ITask;

[TaskName("renamed", Aliases = ["first-name", "second-name"])]
public sealed record Renamed(int Number) : ITask<int>;
