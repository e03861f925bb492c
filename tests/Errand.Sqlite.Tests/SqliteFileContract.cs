using Errand.Contract;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

public abstract class SqliteFileContract(Durability durability) : BackendContract
{
    private readonly TemporaryFolder _folder = new();

    protected override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(_folder.File($"{Guid.NewGuid():N}.db"), new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = retention ?? Defaults.Retention, Durability = durability,
        });

    protected override void CleanUp() => _folder.Dispose();
}

public sealed class SqliteFullContract() : SqliteFileContract(Durability.Full);

public sealed class SqliteRelaxedContract() : SqliteFileContract(Durability.Relaxed);
