namespace Errand.Sqlite;

/// <summary>How much space a database takes, at one moment.</summary>
public sealed record SqliteStorage
{
    /// <summary>The size of the database without its write-ahead log: used and free pages.</summary>
    public required long DatabaseBytes { get; init; }

    /// <summary>The free part of the database. It is reused, and returned to the file system in steps.</summary>
    public required long FreeBytes { get; init; }

    /// <summary>The size of the write-ahead log; zero in <c>:memory:</c>.</summary>
    public required long WalBytes { get; init; }

    /// <summary>The size of one page.</summary>
    public required int PageBytes { get; init; }

    /// <summary>The used part of the database.</summary>
    public long UsedBytes => DatabaseBytes - FreeBytes;
}
