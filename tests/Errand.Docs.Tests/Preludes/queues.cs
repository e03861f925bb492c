public static partial class Given
{
    public static IQueueInspector inspector => null!;
}
