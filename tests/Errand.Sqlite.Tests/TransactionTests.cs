using System.Diagnostics;
using Errand.TestKit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Errand.Sqlite.Tests;

/// <summary>Callers' transactions, as far as they are SQLite's own.</summary>
public sealed class TransactionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => _folder.File("tasks.db");

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Path};Pooling=False;Default Timeout=1");
        connection.Open();
        return connection;
    }

    private static long Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private static EnqueueOptions In(SqliteTransaction transaction) => new() { Transaction = transaction };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task In_memory_a_transaction_is_refused_with_the_remedy()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var other = new SqliteConnection("Data Source=:memory:");
        await other.OpenAsync(Token);
        await using var transaction = other.BeginTransaction();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => queue.EnqueueAsync(new Note(1), In(transaction), Token));
        Assert.Contains("Give the backend a file", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_syncs_less_than_the_backend_promises_is_refused_with_the_remedy()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        Scalar(connection, "pragma synchronous = normal; select 1");
        using var transaction = connection.BeginTransaction();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => queue.EnqueueAsync(new Note(1), In(transaction), Token));
        Assert.Contains("'pragma synchronous = 2'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_callers_connection_goes_on_with_checkpoints_of_its_own()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        using var transaction = connection.BeginTransaction();
        await queue.EnqueueAsync(new Note(1), In(transaction), Token);
        Assert.Equal(1_000, Scalar(connection, "pragma wal_autocheckpoint")); // Its own writes, too, have to leave the log at some time.
    }

    [Fact]
    public async Task Who_holds_a_transaction_and_enqueues_without_it_is_told_so_in_time()
    {
        await using var backend = new SqliteBackend(Path, new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(200) });
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        using var transaction = connection.BeginTransaction();
        var busy = await Assert.ThrowsAsync<BackendBusyException>(() => queue.EnqueueAsync(new Note(1), null, Token));
        Assert.Contains("EnqueueOptions.Transaction", busy.Message, StringComparison.Ordinal);
        await queue.EnqueueAsync(new Note(1), In(transaction), Token);
    }

    [Fact]
    public void The_wait_for_oneself_is_bounded_to_five_seconds_by_default() =>
        Assert.Equal(TimeSpan.FromSeconds(5), new SqliteBackendOptions().BusyTimeout);

    [Fact]
    public async Task A_first_use_within_the_transaction_is_told_to_open_the_backend_before()
    {
        await using (var first = new SqliteBackend(Path))
        {
            await first.InitializeAsync(Token);
        }

        await using var backend = new SqliteBackend(Path, new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMilliseconds(200) });
        await using var queue = new TaskQueue(backend);
        using var connection = Connect();
        using var transaction = connection.BeginTransaction();
        var busy = await Assert.ThrowsAsync<BackendBusyException>(() => queue.EnqueueAsync(new Note(1), In(transaction), Token));
        Assert.Contains("call InitializeAsync before", busy.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_has_enqueued_can_do_so_in_a_transaction_without_more_ado()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Note(1), null, Token);
        using var connection = Connect();
        using var transaction = connection.BeginTransaction();
        var handles = await queue.EnqueueManyAsync(Enumerable.Range(0, 16_000).Select(n => new Note(n)), In(transaction), Token);
        transaction.Commit();
        Assert.Equal(16_000, handles.Select(handle => handle.Id).Distinct().Count());
        Assert.Equal(16_001, Scalar(connection, "select count(*) from errand_tasks"));
    }

    [Fact]
    public async Task A_transaction_can_be_begun_in_a_turn_of_the_backends_own()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        await using (var transaction = await backend.BeginTransactionAsync(connection))
        {
            await queue.EnqueueAsync(new Note(1), In(transaction), Token);
            await Assert.ThrowsAsync<InvalidOperationException>(() => backend.BeginTransactionAsync(connection));
            await transaction.CommitAsync(Token);
        }

        Assert.Equal(1, Scalar(connection, "select count(*) from errand_tasks"));
        connection.Close();
        await Assert.ThrowsAsync<ArgumentException>(() => backend.BeginTransactionAsync(connection));
    }

    [Fact]
    public async Task A_transaction_that_another_process_keeps_from_beginning_is_refused_and_the_backend_goes_on()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        using var other = Connect();
        using (other.BeginTransaction())
        {
            Assert.True((await Assert.ThrowsAsync<BackendBusyException>(() => backend.BeginTransactionAsync(connection))).IsTransient);
        }

        await queue.EnqueueAsync(new Note(1), null, Token);
    }

    [Fact]
    public async Task A_transaction_begun_as_a_reader_waits_for_the_writer_of_the_moment()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        using var other = Connect();
        var held = other.BeginTransaction();
        using var transaction = connection.BeginTransaction(deferred: true);
        var enqueue = queue.EnqueueAsync(new Note(1), In(transaction), Token);
        held.Rollback();
        var handle = await enqueue;
        transaction.Commit();
        Assert.Null(await queue.GetResultAsync(handle.Id, cancellationToken: Token));
    }

    [Fact]
    public async Task A_transaction_whose_snapshot_is_old_is_told_to_begin_again_at_once()
    {
        await using var backend = new SqliteBackend(Path, new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMinutes(10) });
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        using var transaction = connection.BeginTransaction(deferred: true);
        Assert.Equal(0, Scalar(connection, "select count(*) from errand_tasks"));
        await queue.EnqueueAsync(new Note(1), null, Token);
        var stale = await Assert.ThrowsAsync<BackendBusyException>(() => queue.EnqueueAsync(new Note(2), In(transaction), Token));
        Assert.Contains("begin again", stale.Message, StringComparison.Ordinal);
        Assert.True(stale.IsTransient);
    }

    [Fact]
    public async Task A_schema_that_is_newer_by_now_is_refused_before_anything_is_written()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        using var connection = Connect();
        Scalar(connection, "update errand_meta set version = 99, writer = 99; select 1");
        using var transaction = connection.BeginTransaction();
        await Assert.ThrowsAsync<SchemaTooNewException>(() => queue.EnqueueAsync(new Note(1), In(transaction), Token));
        Assert.Equal(0, Scalar(connection, "select count(*) from errand_tasks"));
    }

    [Fact]
    public async Task After_dispose_a_transactional_enqueue_throws_as_every_call_does()
    {
        var backend = new SqliteBackend(Path);
        await backend.InitializeAsync(Token);
        await backend.DisposeAsync();
        using var connection = Connect();
        using var transaction = connection.BeginTransaction();
        var task = new NewTask { Name = "note", Payload = "{}"u8.ToArray() };
        await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.EnqueueInAsync([task], transaction, Token).AsTask());
    }

    [Fact]
    public async Task Sixteen_callers_commit_and_roll_back_beside_plain_ones_and_a_worker_and_exactly_the_committed_run()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        var ran = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        var handlers = new TaskHandlers().Add<Note, int>(
            (note, _) => ran.AddOrUpdate(note.Number, 1, (_, times) => times + 1));
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync(Token);
        var expected = await Task.WhenAll(Enumerable.Range(0, 16).Select(caller => Task.Run(
            async () =>
            {
                List<int> committed = [];
                using var connection = Connect();
                for (var i = 0; i < 10; i++)
                {
                    var number = (caller * 100) + i;
                    if (caller % 4 == 0)
                    {
                        await queue.EnqueueAsync(new Note(number), null, Token);
                        committed.Add(number);
                        continue;
                    }

                    using var transaction = Begin(connection);
                    await queue.EnqueueAsync(new Note(number), In(transaction), Token);
                    if (i % 3 == 0)
                    {
                        transaction.Rollback();
                    }
                    else
                    {
                        transaction.Commit();
                        committed.Add(number);
                    }
                }

                return committed;
            },
            Token)));
        var all = expected.SelectMany(one => one).Order().ToArray();
        await Eventually.TrueAsync(() => ran.Count >= all.Length, "all committed tasks ran");
        Assert.Equal(all, ran.Keys.Order());
        Assert.All(ran.Values, times => Assert.Equal(1, times));

        static SqliteTransaction Begin(SqliteConnection connection)
        {
            for (var started = Stopwatch.GetTimestamp(); ;)
            {
                try
                {
                    return connection.BeginTransaction();
                }
                catch (SqliteException e) when (e.SqliteErrorCode == 5 && Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(1))
                {
                    // The file is busy; the test is not about that.
                }
            }
        }
    }

    [Fact]
    public async Task A_task_and_an_entity_are_saved_together_by_entity_framework()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        await using var orders = new Orders(Path);
        await orders.Database.ExecuteSqlRawAsync("create table Items (Id integer primary key)", Token);
        TaskHandle kept, dropped;
        await using (var transaction = await orders.Database.BeginTransactionAsync(Token))
        {
            orders.Items.Add(new Order { Id = 1 });
            await orders.SaveChangesAsync(Token);
            kept = await queue.EnqueueAsync(
                new Note(1), new EnqueueOptions { Transaction = orders.Database.CurrentTransaction!.GetDbTransaction() }, Token);
            await transaction.CommitAsync(Token);
        }

        await using (var transaction = await orders.Database.BeginTransactionAsync(Token))
        {
            dropped = await queue.EnqueueAsync(
                new Note(2), new EnqueueOptions { Transaction = orders.Database.CurrentTransaction!.GetDbTransaction() }, Token);
            await transaction.RollbackAsync(Token);
        }

        Assert.Null(await queue.GetResultAsync(kept.Id, cancellationToken: Token));
        await Assert.ThrowsAsync<TaskNotFoundException>(() => queue.GetResultAsync(dropped.Id, cancellationToken: Token));
        Assert.Equal(1, await orders.Items.CountAsync(Token));
    }

    private sealed class Orders(string path) : DbContext
    {
        public DbSet<Order> Items => Set<Order>();

        protected override void OnConfiguring(DbContextOptionsBuilder options) => options.UseSqlite($"Data Source={path};Pooling=False");
    }

    private sealed class Order
    {
        public int Id { get; init; }
    }
}
