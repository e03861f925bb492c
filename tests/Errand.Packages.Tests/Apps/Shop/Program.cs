using Errand;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<Mailbox>();
builder.AddErrand(errand => errand.UseSqlite("tasks.db").AddHandler<WelcomeHandler>());
var app = builder.Build();

app.MapPost("/signup", async (string mail, ITaskQueue queue) =>
    (await queue.EnqueueAsync(new SendWelcome(mail), new EnqueueOptions { Delay = TimeSpan.FromHours(1) })).Id);

app.Run();

public sealed record SendWelcome(string To) : ITask;

public sealed class Mailbox
{
    public List<string> Sent { get; } = [];
}

public sealed class WelcomeHandler(Mailbox mailbox) : ITaskHandler<SendWelcome>
{
    public Task HandleAsync(SendWelcome task, TaskContext context)
    {
        mailbox.Sent.Add(task.To);
        return context.Attempt == 1 ? throw new IOException("The mail server is busy.") : Task.CompletedTask;
    }
}

public partial class Program;
