public sealed record Reindex : ITask;
public sealed record Page(string Last, double Fraction);

public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static TaskId id => default;
    public static IAsyncEnumerable<Page> PagesAsync(string? after, CancellationToken cancellationToken) => null!;
    public static Task IndexAsync(Page page, CancellationToken cancellationToken) => Task.CompletedTask;
}
