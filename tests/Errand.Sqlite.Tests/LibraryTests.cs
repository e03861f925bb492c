using Errand.Sqlite.Data;
using Errand.TestKit;
using SQLitePCL;

namespace Errand.Sqlite.Tests;

/// <summary>The SQLite library that comes with the package, and the ones that an application may use instead.</summary>
public sealed class LibraryTests
{
    [Fact]
    public async Task The_bundled_library_is_used_without_a_warning()
    {
        using var folder = new TemporaryFolder();
        var log = new RecordingLogger<SqliteBackend>();
        await using var backend = new SqliteBackend(folder.File("tasks.db"), logger: log);
        await using var queue = new TaskQueue(backend);

        await queue.EnqueueAsync(new Note(1), null, TestContext.Current.CancellationToken);

        Assert.Equal("3.53.4", raw.sqlite3_libversion().utf8_to_string());
        Assert.False(log.Has(302));
    }

    [Theory]
    [InlineData(3_006_023, false)] // No write-ahead log yet.
    [InlineData(3_007_000, true)]
    [InlineData(3_044_005, true)]
    [InlineData(3_044_006, false)] // Fixed in this branch,
    [InlineData(3_045_000, true)] // not in the next.
    [InlineData(3_050_004, true)]
    [InlineData(3_050_006, true)]
    [InlineData(3_050_007, false)]
    [InlineData(3_051_000, true)]
    [InlineData(3_051_002, true)]
    [InlineData(3_051_003, false)]
    [InlineData(3_053_004, false)]
    public void The_version_says_whether_a_library_has_the_wal_reset_bug(int version, bool isIn) =>
        Assert.Equal(isIn, WalResetBug.IsIn(version));
}
