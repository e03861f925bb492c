using Errand.Sqlite.Data;
using Errand.Sqlite.Engine;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Sqlite.Tests;

/// <summary>The write-ahead log stays short beside whatever reads and writes the file, and empty while nobody does.</summary>
public sealed class LogSizeTests : IDisposable
{
    private const long Bound = 64L * 1024 * 1024;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static long Length(string path) => new FileInfo(path + "-wal").Length;

    private static Task IsShortAsync(string path) => Eventually.TrueAsync(
        () => Length(path) <= 1024 * 1024, $"the log is emptied when nobody writes; it has {Length(path)} bytes");

    /// <summary>Short readers of which there is always one, with no moment between them.</summary>
    [Fact]
    public async Task It_is_bounded_beside_readers_that_overlap_and_emptied_when_they_have_gone()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path, new SqliteBackendOptions { Durability = Durability.Relaxed });
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(
            () => ReadWithoutAGap(path, stop.Token), Token, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        var longest = 0L;
        for (var written = 0L; written < 4 * Bound; written += 16 * 256 * 1024)
        {
            await queue.EnqueueManyAsync(Enumerable.Range(0, 16).Select(_ => new Text(new string('x', 256 * 1024))), null, Token);
            longest = Math.Max(longest, Length(path));
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);

        Assert.InRange(longest, 1, Bound);
        await IsShortAsync(path);
    }

    /// <summary>After a sync that failed the log must be emptied before anything is promised; a short reader is waited for.</summary>
    [Fact]
    public async Task An_enqueue_after_a_failed_sync_waits_for_a_reader_that_soon_ends()
    {
        var path = _folder.File("tasks.db");
        var fails = false;
        using var reader = FileTests.Open(path);
        var options = new SqliteBackendOptions
        {
            Reached = point =>
            {
                if (point == EnginePoint.Commit && Interlocked.Exchange(ref fails, false))
                {
                    _ = Task.Delay(50, Token).ContinueWith(_ => reader.Close(), TaskScheduler.Default);
                    throw SqliteErrors.From(1034, "disk I/O error", "The disk");
                }
            },
        };
        await using var backend = new SqliteBackend(path, options);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Text("before"), null, Token);
        await using var transaction = reader.BeginTransaction(deferred: true);
        await using var command = reader.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "select count(*) from errand_tasks";
        Assert.Equal(1L, await command.ExecuteScalarAsync(Token));
        await queue.EnqueueAsync(new Text("not seen by the reader"), null, Token);

        Volatile.Write(ref fails, true);
        await queue.EnqueueAsync(new Text("after"), null, Token);

        Assert.Equal(3, (await backend.GetOverviewAsync(Token)).Count(TaskState.Pending));
    }

    private static void ReadWithoutAGap(string path, CancellationToken stop)
    {
        using var connection = FileTests.Open(path);
        while (!stop.IsCancellationRequested)
        {
            using var transaction = connection.BeginTransaction(deferred: true);
            using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = "select count(*) from errand_names";
            command.ExecuteScalar();
            Thread.Sleep(40);
        }
    }

    [Fact]
    public async Task One_large_transaction_does_not_leave_it_long()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);

        await queue.EnqueueManyAsync(Enumerable.Range(0, 400).Select(_ => new Text(new string('x', 256 * 1024))), null, Token);

        await IsShortAsync(path);
    }

    [Fact]
    public async Task Callers_own_transactions_leave_it_short()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = FileTests.Open(path);
        FileTests.Execute(path, "create table documents (body blob)");
        var longest = 0L;
        for (var i = 0; i < 100; i++)
        {
            await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync(Token);
            await InsertAsync(connection, transaction);
            await queue.EnqueueAsync(new Note(i), new EnqueueOptions { Transaction = transaction }, Token);
            await transaction.CommitAsync(Token);
            longest = Math.Max(longest, Length(path));
        }

        for (var i = 0; i < 100; i++)
        {
            await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync(Token); // Of the caller's alone.
            await InsertAsync(connection, transaction);
            await transaction.CommitAsync(Token);
            longest = Math.Max(longest, Length(path));
        }

        Assert.InRange(longest, 1, Bound);
    }

    private static async Task InsertAsync(SqliteConnection connection, SqliteTransaction transaction)
    {
        await using var insert = connection.CreateCommand();
        insert.Transaction = transaction;
        insert.CommandText = "insert into documents values (zeroblob(1000000))";
        await insert.ExecuteNonQueryAsync(Token);
    }

    [Fact]
    public async Task An_old_reader_holds_it_back_and_is_named()
    {
        var path = _folder.File("tasks.db");
        var logger = new RecordingLogger<SqliteBackend>();
        var options = new SqliteBackendOptions { Durability = Durability.Relaxed, CheckpointPages = 64 };
        await using var backend = new SqliteBackend(path, options, logger);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), null, Token);
        using (var reader = FileTests.Open(path))
        {
            using var transaction = reader.BeginTransaction(deferred: true);
            using var command = reader.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = "select count(*) from errand_names";
            command.ExecuteScalar();
            await Eventually.TrueAsync(
                async () =>
                {
                    await queue.EnqueueManyAsync(Enumerable.Range(0, 64).Select(_ => new Text(new string('x', 256 * 1024))), null, Token);
                    return logger.Has(306);
                },
                "the log names the reader");
        }

        await IsShortAsync(path);
    }
}
