using System.Data.Common;
using Errand.Contract;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Sqlite.Tests;

public abstract class SqliteFileContract(Durability durability) : SharedStoreContract
{
    private readonly TemporaryFolder _folder = new();

    protected override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(_folder.File($"{Guid.NewGuid():N}.db"), new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = retention ?? Defaults.Retention, Durability = durability,
        });

    protected override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
        new SqliteBackend(_folder.File($"{Guid.NewGuid():N}.db"), new SqliteBackendOptions
        {
            TimeProvider = clock, Durability = durability, Retention = TimeSpan.FromMinutes(1),
            FailedRetention = failed, CancelledRetention = cancelled, ExpiredRetention = expired,
        });

    protected override IBackend CreateBeside(IBackend backend) =>
        new SqliteBackend(((SqliteBackend)backend).Path, new SqliteBackendOptions { Durability = durability });

    protected override async Task<DbConnection> ConnectAsync(IBackend backend)
    {
        var connection = new SqliteConnection($"Data Source={((SqliteBackend)backend).Path};Pooling=False");
        await connection.OpenAsync(Token);
        return connection;
    }

    protected override void CleanUp() => _folder.Dispose();
}

public sealed class SqliteFullContract() : SqliteFileContract(Durability.Full);

public sealed class SqliteRelaxedContract() : SqliteFileContract(Durability.Relaxed);
