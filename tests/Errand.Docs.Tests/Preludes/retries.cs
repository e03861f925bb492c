global using System.Net;

public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static TaskId id => default;
}
