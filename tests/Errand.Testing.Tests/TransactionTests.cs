using System.Data.Common;
using Errand.PrivatePostgres;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Errand.Testing.Tests;

/// <summary>Tasks in transactions on a database of the application's, whose end the test is not told.</summary>
public abstract class TransactionTests : IAsyncDisposable
{
    private readonly ErrandTest _test = new(new TaskHandlers()
        .Add<Note>((_, _) => { })
        .Add<Twice, int>((task, _) => task.Number * 2));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    protected abstract Task<DbConnection> OpenAsync();

    public virtual async ValueTask DisposeAsync()
    {
        await _test.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Task<TaskHandle> EnqueueAsync(DbTransaction transaction, string text, EnqueueOptions? options = null) =>
        _test.Queue.EnqueueAsync(new Note(text), (options ?? new EnqueueOptions()) with { Transaction = transaction }, Token);

    private IEnumerable<string> Enqueued => _test.Enqueued<Note>().Select(task => task.Payload.Text);

    [Fact]
    public async Task A_task_is_there_from_the_commit_on()
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(Token);
        var handle = await EnqueueAsync(transaction, "a", new EnqueueOptions { Delay = TimeSpan.FromMinutes(1) });

        Assert.Empty(Enqueued);
        Assert.Null(await _test.Inspector.FindAsync(handle.Id, Token));
        await transaction.CommitAsync(Token);

        Assert.Equal(handle.Id, _test.AssertEnqueued<Note>().Id);
        Assert.Equal(0, await _test.DrainAsync(Token));
        Assert.Equal(1, await _test.AdvanceAsync(TimeSpan.FromMinutes(1), Token));
    }

    [Fact]
    public async Task A_task_is_never_there_after_a_rollback_or_a_disposal()
    {
        await using var connection = await OpenAsync();
        await using (var rolledBack = await connection.BeginTransactionAsync(Token))
        {
            await EnqueueAsync(rolledBack, "rolled back");
            await rolledBack.RollbackAsync(Token);
        }

        await using (var disposed = await connection.BeginTransactionAsync(Token))
        {
            await EnqueueAsync(disposed, "disposed");
        }

        await using (var next = await connection.BeginTransactionAsync(Token))
        {
            await EnqueueAsync(next, "committed");
            await next.CommitAsync(Token);
        }

        await using (var last = await connection.BeginTransactionAsync(Token))
        {
            await last.RollbackAsync(Token);
        }

        Assert.Equal(["committed"], Enqueued);
        Assert.Equal(1, await _test.DrainAsync(Token));
    }

    [Fact]
    public async Task The_connection_may_be_closed_before_the_test_looks()
    {
        await using (var connection = await OpenAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            await EnqueueAsync(transaction, "a");
            await transaction.CommitAsync(Token);
        }

        Assert.Equal(1, await _test.DrainAsync(Token));
    }

    [Fact]
    public async Task A_rollback_to_a_savepoint_takes_back_what_was_enqueued_after_it()
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await transaction.SaveAsync("early", Token);
        await EnqueueAsync(transaction, "taken back first");
        await transaction.RollbackAsync("early", Token);
        await EnqueueAsync(transaction, "before");
        await transaction.SaveAsync("s", Token);
        await EnqueueAsync(transaction, "taken back");
        await transaction.RollbackAsync("s", Token);
        await transaction.SaveAsync("t", Token);
        await EnqueueAsync(transaction, "within");
        await transaction.ReleaseAsync("t", Token);
        await EnqueueAsync(transaction, "after");
        await transaction.CommitAsync(Token);

        Assert.Equal(["before", "within", "after"], Enqueued);
    }

    [Fact]
    public async Task A_unique_key_is_taken_by_a_task_of_the_transaction_or_of_the_store()
    {
        await using var connection = await OpenAsync();
        var key = new EnqueueOptions { UniqueKey = "k" };
        var first = await _test.Queue.EnqueueAsync(new Note("first"), key, Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);

        var again = await EnqueueAsync(transaction, "again", key);
        var other = await EnqueueAsync(transaction, "other", key with { UniqueKey = "o" });
        var otherAgain = await EnqueueAsync(transaction, "other again", key with { UniqueKey = "o" });
        await transaction.CommitAsync(Token);

        Assert.Equal((first.Id, false), (again.Id, again.IsNew));
        Assert.Equal((other.Id, true, false), (otherAgain.Id, other.IsNew, otherAgain.IsNew));
        Assert.Equal(["first", "other"], Enqueued);
    }

    [Fact]
    public async Task An_ended_transaction_is_refused()
    {
        await using var connection = await OpenAsync();
        var transaction = await connection.BeginTransactionAsync(Token);
        await transaction.CommitAsync(Token);
        await transaction.DisposeAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => EnqueueAsync(transaction, "late"));

        Assert.Empty(Enqueued);
    }
}

public sealed class SqliteTransactionTests : TransactionTests
{
    protected override async Task<DbConnection> OpenAsync()
    {
        var connection = new SqliteConnection("Data Source=:memory:"); // As many tests have it: no other connection can look.
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        return connection;
    }

    [Fact]
    public async Task A_commit_that_fails_is_no_commit()
    {
        await using var connection = await OpenAsync();
        await using var test = new ErrandTest();
        await using var command = connection.CreateCommand();
        command.CommandText =
            """
            pragma foreign_keys = on;
            create table parents (id integer primary key);
            create table children (parent integer references parents deferrable initially deferred);
            """;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        command.Transaction = transaction;
        command.CommandText = "insert into children values (1)";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        await test.Queue.EnqueueAsync(
            new Note("a"), new EnqueueOptions { Transaction = transaction }, TestContext.Current.CancellationToken);

        Assert.Throws<SqliteException>(transaction.Commit);
        test.AssertNotEnqueued<Note>();
        transaction.Rollback();

        test.AssertNotEnqueued<Note>();
    }
}

public sealed class PostgresTransactionTests(PostgresTransactionTests.Server server)
    : TransactionTests, IClassFixture<PostgresTransactionTests.Server>
{
    protected override async Task<DbConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        return connection;
    }

    public sealed class Server : IAsyncLifetime
    {
        private PostgresCluster? _cluster;

        public string ConnectionString => _cluster!.ConnectionString();

        public async ValueTask InitializeAsync() => _cluster = await PostgresCluster.StartAsync();

        public ValueTask DisposeAsync() => _cluster!.DisposeAsync();
    }
}
