using System.Data.Common;
using Errand.Contract;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Sqlite.Tests;

public abstract class SqliteFile(Durability durability) : SharedStore
{
    private readonly TemporaryFolder _folder = new();

    public override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(_folder.File($"{Guid.NewGuid():N}.db"), new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = retention ?? Defaults.Retention, Durability = durability,
        });

    public override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
        new SqliteBackend(_folder.File($"{Guid.NewGuid():N}.db"), new SqliteBackendOptions
        {
            TimeProvider = clock, Durability = durability, Retention = TimeSpan.FromMinutes(1),
            FailedRetention = failed, CancelledRetention = cancelled, ExpiredRetention = expired,
        });

    public override IBackend CreateBeside(IBackend backend) =>
        new SqliteBackend(((SqliteBackend)backend).Path, new SqliteBackendOptions { Durability = durability });

    public override async Task<DbConnection> ConnectAsync(IBackend backend)
    {
        var connection = new SqliteConnection($"Data Source={((SqliteBackend)backend).Path};Pooling=False");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        return connection;
    }

    protected override void CleanUp() => _folder.Dispose();
}
