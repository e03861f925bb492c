using System.Data.Common;
using Errand.PostgreSql;
using Errand.PrivatePostgres;
using Errand.Sqlite;
using Errand.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Errand.EntityFrameworkCore.Tests;

/// <summary>A database that holds the shop's tables and its tasks.</summary>
public abstract class ShopStore : IAsyncDisposable
{
    public abstract ValueTask StartAsync();

    public abstract IBackend CreateBackend();

    /// <summary>The provider, with a strategy that retries what the tests fail with when it is asked for.</summary>
    public abstract void Use(DbContextOptionsBuilder options, bool retries);

    public abstract ValueTask DisposeAsync();
}

public sealed class SqliteShop : ShopStore
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("shop.db");

    public override ValueTask StartAsync() => ValueTask.CompletedTask;

    public override IBackend CreateBackend() => new SqliteBackend(Path);

    public override void Use(DbContextOptionsBuilder options, bool retries) => options.UseSqlite(
        $"Data Source={Path};Pooling=False", sqlite =>
        {
            if (retries)
            {
                sqlite.ExecutionStrategy(dependencies => new Retries(dependencies));
            }
        });

    public override ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

public sealed class PostgresShop : ShopStore
{
    private PostgresCluster _cluster = null!;

    public override async ValueTask StartAsync() => _cluster = await SharedPostgres.GetAsync();

    private readonly string _database = $"shop_{Guid.NewGuid():N}";

    private string ConnectionString => new NpgsqlConnectionStringBuilder(_cluster.ConnectionString())
    {
        Database = _database, Pooling = false,
    }.ConnectionString;

    public override IBackend CreateBackend()
    {
        using var connection = new NpgsqlConnection(_cluster.ConnectionString());
        connection.Open();
        using var command = new NpgsqlCommand($"select count(*) from pg_database where datname = '{_database}'", connection);
        if (command.ExecuteScalar() is 0L)
        {
            command.CommandText = $"create database {_database}";
            command.ExecuteNonQuery();
        }

        return new PostgresBackend(ConnectionString);
    }

    public override void Use(DbContextOptionsBuilder options, bool retries) => options.UseNpgsql(
        ConnectionString, postgres =>
        {
            if (retries)
            {
                postgres.ExecutionStrategy(dependencies => new Retries(dependencies));
            }
        });

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>As the strategies of the providers, for the failure that the tests make.</summary>
public sealed class Retries(ExecutionStrategyDependencies dependencies) : ExecutionStrategy(dependencies, 3, TimeSpan.FromMilliseconds(1))
{
    protected override bool ShouldRetryOn(Exception exception) => exception is Transient or { InnerException: Transient };
}

public sealed class Transient() : DbException("The network is away.");

/// <summary>Fails a transaction's commit, before it or after it, as a network does.</summary>
public sealed class Fails(bool afterCommit) : DbTransactionInterceptor
{
    public int Times { get; set; }

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (!afterCommit && Times-- > 0)
        {
            throw new Transient();
        }

        return ValueTask.FromResult(result);
    }

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default) =>
        afterCommit && Times-- > 0 ? throw new Transient() : Task.CompletedTask;
}
