public sealed record Report(int Year) : ITask;
public sealed record SendMail(string To) : ITask;
public sealed record Resize(string Path) : ITask;
public interface IStore { void Resize(string path); }
public sealed class Mailer { public Task SendAsync(string to, CancellationToken token) => Task.CompletedTask; }
