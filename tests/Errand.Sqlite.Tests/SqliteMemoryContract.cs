using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class SqliteMemoryContract : BackendContract
{
    protected override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock, Retention = retention ?? Defaults.Retention });

    protected override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
        new SqliteBackend(":memory:", new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = TimeSpan.FromMinutes(1),
            FailedRetention = failed, CancelledRetention = cancelled, ExpiredRetention = expired,
        });
}
