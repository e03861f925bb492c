public sealed record Resize(string[] Files) : ITask;

public static partial class Given
{
    public static Task ResizeAsync(string file, CancellationToken cancellationToken) => Task.CompletedTask;
}
