global using System.Globalization;
global using System.Security.Principal;
global using Polly;
global using Polly.Retry;

public sealed record SendMail(string To) : ITask;
public sealed record Resize(string Path) : ITask;
public interface IStore { void Resize(string path); }
public sealed class Mailer { public ValueTask SendAsync(string to, CancellationToken token) => default; }
public sealed class TenantContext { public string? Id { get; set; } }
public interface IErrors { Task ReportAsync(Exception exception, string what, IReadOnlyDictionary<string, string> tags); }
public sealed class TenantMiddleware : ITaskMiddleware;
public sealed class Reporter : ITaskFailureHandler { public ValueTask<RetryDecision?> HandleAsync(FailedAttempt attempt, TaskContext context) => default; }
