using Errand;

namespace Testing;

public sealed record SendWelcome(string To) : ITask;

public sealed record Remind(string To) : ITask;

/// <summary>The program's way to send mail, for which a test has a stand-in.</summary>
public interface IMailer
{
    Task SendAsync(string address, string subject, CancellationToken cancellationToken);
}

/// <summary>Code under test that enqueues: a welcome at once, a reminder after three days.</summary>
public sealed class Signup(ITaskQueue queue)
{
    public async Task RegisterAsync(string mail, CancellationToken cancellationToken = default)
    {
        await queue.EnqueueAsync(new SendWelcome(mail), null, cancellationToken);
        await queue.EnqueueAsync(
            new Remind(mail), new EnqueueOptions { Delay = TimeSpan.FromDays(3), UniqueKey = $"remind:{mail}" }, cancellationToken);
    }
}

/// <summary>Handlers under test.</summary>
public sealed class MailHandler(IMailer mailer) : ITaskHandler<SendWelcome>, ITaskHandler<Remind>
{
    public Task HandleAsync(SendWelcome task, TaskContext context) =>
        mailer.SendAsync(task.To, "Welcome", context.CancellationToken);

    public Task HandleAsync(Remind task, TaskContext context) =>
        mailer.SendAsync(task.To, "Still there?", context.CancellationToken);
}
