namespace Errand.Sqlite;

/// <summary>How much room a database takes, at one moment.</summary>
/// <param name="DatabaseBytes">The database without its write-ahead log: pages in use and free pages.</param>
/// <param name="FreeBytes">The part of it that holds nothing: it is used again, and given back in steps.</param>
/// <param name="WalBytes">The write-ahead log; zero in <c>:memory:</c>.</param>
/// <param name="PageBytes">The size of one page.</param>
public sealed record SqliteStorage(long DatabaseBytes, long FreeBytes, long WalBytes, int PageBytes)
{
    /// <summary>The part of the database that holds something.</summary>
    public long UsedBytes => DatabaseBytes - FreeBytes;
}
