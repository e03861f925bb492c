public sealed record Digest(DateOnly Day) : ITask;

public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static TaskId id => default;
    public static Task SendDigestAsync(DateOnly day, CancellationToken cancellationToken) => Task.CompletedTask;
}
