using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class SqliteMemoryContract : BackendContract
{
    protected override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock, Retention = retention ?? Defaults.Retention });
}
