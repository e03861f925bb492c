using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Sqlite.Tests;

/// <summary>Paths and files that are not what they should be: each is refused with a message, and left as it was.</summary>
public sealed class FileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private static async Task<TException> RefusedAsync<TException>(string path, SqliteBackendOptions? options = null)
        where TException : Exception
    {
        await using var backend = new SqliteBackend(path, options);
        await using var queue = new TaskQueue(backend);
        await Assert.ThrowsAsync<TException>(() => queue.InitializeAsync(Token));
        return await Assert.ThrowsAsync<TException>(() => queue.EnqueueAsync(new Note(1), null, Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    public void An_empty_path_is_refused(string path) => Assert.Throws<ArgumentException>(() => new SqliteBackend(path));

    [Fact]
    public async Task A_directory_is_refused()
    {
        var refused = await RefusedAsync<BackendException>(_folder.Path);
        Assert.Contains($"'{_folder.Path}' is a directory. Give the path of a file in it.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_folder_is_named_and_not_created_and_the_backend_works_once_it_is_there()
    {
        var folder = _folder.File("missing");
        var path = Path.Combine(folder, "tasks.db");
        await using var backend = new SqliteBackend(path);

        var refused = await Assert.ThrowsAsync<BackendException>(() => backend.InitializeAsync(Token).AsTask());
        Assert.Contains($"its folder does not exist. Create '{folder}' first.", refused.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));

        Directory.CreateDirectory(folder);
        await backend.InitializeAsync(Token);
    }

    [Fact]
    public async Task A_read_only_file_is_refused()
    {
        var path = _folder.File("tasks.db");
        await using (var backend = new SqliteBackend(path))
        {
            await backend.InitializeAsync(Token);
        }

        var before = await File.ReadAllBytesAsync(path, Token);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        string message;
        if (Environment.IsPrivilegedProcess)
        {
            // Root may write to what is read-only, so the attempt is made by somebody who may not.
            var program = CopyDummyForEverybody();
            await using var nobody = DummyProcess.StartAsNobody(program, "open", path);
            await nobody.ExitAsync();
            Assert.Equal(1, nobody.ExitCode);
            message = string.Join('\n', nobody.Lines);
        }
        else
        {
            message = (await RefusedAsync<BackendException>(path)).Message;
        }

        Assert.Contains("is read-only. Make the file and its folder writable for this user", message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, Token));
    }

    private string CopyDummyForEverybody()
    {
        const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        var source = Path.GetDirectoryName(DummyProcess.Program)!;
        var target = _folder.File("dummy");
        File.SetUnixFileMode(_folder.Path, Everybody);
        foreach (var file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
            File.SetUnixFileMode(copy, Everybody);
        }

        foreach (var directory in Directory.GetDirectories(target, "*", SearchOption.AllDirectories).Append(target))
        {
            File.SetUnixFileMode(directory, Everybody);
        }

        return Path.Combine(target, "Errand.Dummy.dll");
    }

    [Fact]
    public async Task A_text_file_is_refused_and_left_as_it_was()
    {
        var path = _folder.File("notes.txt");
        var text = string.Concat(Enumerable.Repeat("Dear diary, this is not a database.\n", 100));
        await File.WriteAllTextAsync(path, text, Token);

        var refused = await RefusedAsync<NotAnErrandDatabaseException>(path);

        Assert.Contains("is not a SQLite database, or is encrypted. Choose another path", refused.Message, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(path, Token));
    }

    [Theory]
    [InlineData("create table errand_meta (version)", "it has other columns")]
    [InlineData("create table errand_meta (version, reader, writer)", "it does not have one row")]
    public async Task A_foreign_table_errand_meta_is_refused_and_left_as_it_was(string sql, string reason)
    {
        var path = _folder.File("foreign.db");
        Execute(path, sql);
        var before = await File.ReadAllBytesAsync(path, Token);

        var refused = await RefusedAsync<NotAnErrandDatabaseException>(path);

        Assert.Contains("has a table 'errand_meta' that is not Errand's: " + reason, refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, Token));
    }

    [Fact]
    public async Task A_file_of_a_newer_version_is_refused_and_left_as_it_was()
    {
        var path = _folder.File("newer.db");
        await using (var backend = new SqliteBackend(path))
        {
            await backend.InitializeAsync(Token);
        }

        Execute(path, "update errand_meta set version = 99, writer = 99");
        var before = await File.ReadAllBytesAsync(path, Token);

        var refused = await RefusedAsync<SchemaTooNewException>(path);

        Assert.Contains("has schema version 99, but this version of Errand knows versions up to 1.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, Token));
    }

    [Fact]
    public async Task A_file_that_is_migrated_under_a_running_backend_is_not_written_to_any_more()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), null, Token);
        Execute(path, "update errand_meta set version = 99, writer = 99");

        await Assert.ThrowsAsync<SchemaTooNewException>(() => queue.EnqueueAsync(new Note(2), null, Token));

        Assert.Equal(1L, Scalar(path, "select count(*) from errand_tasks"));
    }

    [Fact]
    public async Task An_empty_file_is_made_a_database()
    {
        var path = _folder.File("empty.db");
        await File.WriteAllBytesAsync(path, [], Token);
        await using var backend = new SqliteBackend(path);
        await backend.InitializeAsync(Token);
        Assert.Equal(1L, Scalar(path, "select version from errand_meta"));
    }

    [Theory]
    [InlineData("a?mode=memory.db")]
    [InlineData("a;Mode=Memory;b=.db")]
    [InlineData("file:a.db")]
    [InlineData("with spaces and 'quotes\".db")]
    [InlineData("%2e#ünïcode 💥.db")]
    [InlineData(":memory:.db")]
    public async Task A_path_is_taken_as_it_is(string name)
    {
        var path = _folder.File(name);
        await using var backend = new SqliteBackend(path);
        await using (var queue = new TaskQueue(backend))
        {
            await queue.EnqueueAsync(new Note(1), null, Token);
        }

        Assert.Equal(
            [path, path + "-shm", path + "-wal"],
            Directory.GetFiles(_folder.Path).Order(StringComparer.Ordinal),
            StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_new_file_can_be_read_by_its_owner_alone()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await backend.NewIdAsync(Token);
        foreach (var file in Directory.GetFiles(_folder.Path))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public async Task A_file_that_another_program_holds_is_waited_for_and_then_named()
    {
        var path = _folder.File("tasks.db");
        var options = new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(300) };
        await using var backend = new SqliteBackend(path, options);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using (var other = Open(path))
        {
            using var transaction = other.BeginTransaction(deferred: false);
            var busy = await Assert.ThrowsAsync<BackendBusyException>(() => queue.EnqueueAsync(new Note(1), null, Token));
            Assert.True(busy.IsTransient);
            Assert.Contains("is held by another connection. Try again, or end the program that holds it.", busy.Message, StringComparison.Ordinal);
            var patient = queue.EnqueueAsync(new Note(2), null, Token);
            transaction.Rollback();
            await patient;
        }

        Assert.Equal(1L, Scalar(path, "select count(*) from errand_tasks"));
    }

    [Fact]
    public async Task A_worker_outlasts_a_program_that_holds_the_file_and_loses_nothing()
    {
        var path = _folder.File("tasks.db");
        var options = new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(100) };
        await using var backend = new SqliteBackend(path, options);
        await using var queue = new TaskQueue(backend);
        var mayReturn = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        var log = new RecordingLogger<TaskWorker>();
        var handlers = new TaskHandlers().Add<Note, int>(async (note, _) =>
        {
            started.TrySetResult();
            await mayReturn.Task;
            return note.Number;
        });
        await using var worker = new TaskWorker(backend, handlers, null, log);
        await worker.StartAsync(Token);
        var handle = await queue.EnqueueAsync(new Note(3), null, Token);
        await started.Task.WaitAsync(Eventually.Bound, Token);
        using (var other = Open(path))
        {
            using var transaction = other.BeginTransaction(deferred: false);
            mayReturn.SetResult();
            await Eventually.TrueAsync(() => log.Has(203), "the outcome could not be stored at first");
            transaction.Rollback();
        }

        Assert.Equal(3, await handle.WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task A_worker_that_cannot_reach_its_file_waits_longer_each_time()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path, new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(20) });
        var log = new RecordingLogger<TaskWorker>();
        await using var worker = new TaskWorker(backend, new TaskHandlers(), null, log);
        await worker.StartAsync(Token);
        using (var other = Open(path))
        {
            using var transaction = other.BeginTransaction(deferred: false);
            var refused = backend.NewIdAsync(Token).AsTask(); // Needs the write lock, and takes the worker's wait down with it.
            await Assert.ThrowsAsync<BackendBusyException>(() => refused);
            await Eventually.TrueAsync(() => Waits().Length >= 3, "three tries have failed");
            transaction.Rollback();
        }

        // 100 ms, doubled each time, and spread over half as much on both sides.
        int[] waits = [100, 200, 400];
        Assert.All(waits.Zip(Waits()), wait => Assert.InRange(wait.Second.TotalMilliseconds, wait.First * 0.5, wait.First * 1.5));

        TimeSpan[] Waits() =>
        [
            .. log.Entries.Where(entry => entry.Id == 104)
                .Select(entry => TimeSpan.Parse(entry.Text.Split(' ')[^1].TrimEnd('.'), System.Globalization.CultureInfo.InvariantCulture)),
        ];
    }

    [Fact]
    public async Task Two_backends_may_create_one_file_at_the_same_time()
    {
        for (var round = 0; round < 5; round++)
        {
            var path = _folder.File($"round{round}.db");
            var backends = Enumerable.Range(0, 6).Select(_ => new SqliteBackend(path)).ToArray();
            var ids = await Task.WhenAll(backends.Select(backend => Task.Run(() => backend.NewIdAsync(Token).AsTask())));
            Assert.Equal(6, ids.Distinct().Count());
            foreach (var backend in backends)
            {
                await backend.DisposeAsync();
            }
        }
    }

    internal static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }

    internal static void Execute(string path, string sql)
    {
        using var connection = Open(path);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    internal static object? Scalar(string path, string sql)
    {
        using var connection = Open(path);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
