namespace Errand.PostgreSql.Inspect;

/// <summary>Times as they stand in the tables.</summary>
internal static class Times
{
    internal static DateTimeOffset Of(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
