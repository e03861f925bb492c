public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static TaskId id => new(1);
}
