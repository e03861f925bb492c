namespace Errand.Sqlite.Tests;

[TaskName("note")]
public sealed record Note(int Number) : ITask<int>;

[TaskName("hang")]
public sealed record Hang : ITask;

[TaskName("die")]
public sealed record Die : ITask;

[TaskName("effect")]
public sealed record Effect(string DieAt) : ITask<int>;

[TaskName("until-file")]
public sealed record UntilFile(string Path) : ITask<int>;

[TaskName("starve")]
public sealed record Starve(int Milliseconds) : ITask;

[TaskName("text")]
public sealed record Text(string Body) : ITask;
