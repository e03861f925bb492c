public sealed record SendMail(string To) : ITask;
public sealed class SendMailHandler : ITaskHandler<SendMail> { public Task HandleAsync(SendMail task, TaskContext context) => Task.CompletedTask; }
