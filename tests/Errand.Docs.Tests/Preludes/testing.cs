global using Errand.Testing;
global using Microsoft.AspNetCore.Hosting;
global using Microsoft.AspNetCore.Mvc.Testing;
global using Microsoft.AspNetCore.TestHost;
global using Microsoft.Data.Sqlite;
global using Microsoft.Extensions.DependencyInjection;
global using Microsoft.Extensions.Time.Testing;

public interface IMailer { Task SendAsync(string to, string subject, CancellationToken cancellationToken); }
public sealed class Outbox : IMailer { public List<string> Sent { get; } = []; public Task SendAsync(string to, string subject, CancellationToken cancellationToken) => Task.CompletedTask; }
public sealed record Remind(string To) : ITask;
public sealed record Import(string Url) : ITask<int>;
public sealed class MailHandler(IMailer mailer) : ITaskHandler<SendWelcomeMail> { public Task HandleAsync(SendWelcomeMail task, TaskContext context) => mailer.SendAsync(task.To, "", context.CancellationToken); }
public sealed class Signup(ITaskQueue queue) { public Task RegisterAsync(string mail) => queue.EnqueueAsync(new Remind(mail)); }

public partial class Program;
public sealed class ShopFactory : WebApplicationFactory<Outbox> { public ErrandTest Tasks => null!; }

public static partial class Given
{
    public static ErrandTest test => null!;
    public static TaskCompletionSource started => null!;
    public static Task<int> ImportAsync(string url, CancellationToken cancellationToken) => Task.FromResult(0);
}
