public static partial class Given
{
    public static int customer => 7;
}
