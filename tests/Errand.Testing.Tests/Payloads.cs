namespace Errand.Testing.Tests;

public sealed record Note(string Text) : ITask;

public sealed record Twice(int Number) : ITask<int>;

public sealed record SendMail(string To) : ITask;
