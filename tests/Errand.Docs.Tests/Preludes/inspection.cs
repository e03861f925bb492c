public static partial class Given
{
    public static IQueueInspector inspector => null!;
    public static long id => 1;
}
