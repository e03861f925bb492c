public sealed record Digest(DateOnly Day) : ITask;

public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static long id => 0;
    public static Task SendDigestAsync(DateOnly day, CancellationToken cancellationToken) => Task.CompletedTask;
}
