using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class SqliteMemory : Store
{
    public override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock, Retention = retention ?? Defaults.Retention });

    public override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
        new SqliteBackend(":memory:", new SqliteBackendOptions
        {
            TimeProvider = clock, Retention = TimeSpan.FromMinutes(1),
            FailedRetention = failed, CancelledRetention = cancelled, ExpiredRetention = expired,
        });
}

public sealed class SqliteMemoryDelay : DelayContract<SqliteMemory>;
public sealed class SqliteMemoryEnqueue : EnqueueContract<SqliteMemory>;
public sealed class SqliteMemoryExpiry : ExpiryContract<SqliteMemory>;
public sealed class SqliteMemoryHeaders : HeadersContract<SqliteMemory>;
public sealed class SqliteMemoryMisuse : MisuseContract<SqliteMemory>;
public sealed class SqliteMemoryUnique : UniqueContract<SqliteMemory>;
public sealed class SqliteMemoryNames : NamesContract<SqliteMemory>;
public sealed class SqliteMemoryParking : ParkingContract<SqliteMemory>;
public sealed class SqliteMemoryPause : PauseContract<SqliteMemory>;
public sealed class SqliteMemoryQueues : QueuesContract<SqliteMemory>;
public sealed class SqliteMemoryReserve : ReserveContract<SqliteMemory>;
public sealed class SqliteMemoryCancel : CancelContract<SqliteMemory>;
public sealed class SqliteMemoryAttemptLogs : AttemptLogsContract<SqliteMemory>;
public sealed class SqliteMemoryProgress : ProgressContract<SqliteMemory>;
public sealed class SqliteMemoryResults : ResultsContract<SqliteMemory>;
public sealed class SqliteMemoryRetention : RetentionContract<SqliteMemory>;
public sealed class SqliteMemorySettle : SettleContract<SqliteMemory>;
public sealed class SqliteMemoryListWorkers : ListWorkersContract<SqliteMemory>;
public sealed class SqliteMemoryWorkers : WorkersContract<SqliteMemory>;
public sealed class SqliteMemoryControl : ControlContract<SqliteMemory>;
public sealed class SqliteMemoryDelete : DeleteContract<SqliteMemory>;
public sealed class SqliteMemoryExplain : ExplainContract<SqliteMemory>;
public sealed class SqliteMemoryFind : FindContract<SqliteMemory>;
public sealed class SqliteMemoryList : ListContract<SqliteMemory>;
public sealed class SqliteMemoryOverview : OverviewContract<SqliteMemory>;
public sealed class SqliteMemoryRetry : RetryContract<SqliteMemory>;
public sealed class SqliteMemoryDispose : DisposeContract<SqliteMemory>;
public sealed class SqliteMemoryEndToEnd : EndToEndContract<SqliteMemory>;
public sealed class SqliteMemoryOpen : OpenContract<SqliteMemory>;
public sealed class SqliteMemoryModel : ModelContract<SqliteMemory>;
public sealed class SqliteMemoryStateTable : StateTableContract<SqliteMemory>;
