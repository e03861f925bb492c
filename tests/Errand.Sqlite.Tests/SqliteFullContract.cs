using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class SqliteFull() : SqliteFile(Durability.Full);

public sealed class SqliteFullDelay : DelayContract<SqliteFull>;
public sealed class SqliteFullEnqueue : EnqueueContract<SqliteFull>;
public sealed class SqliteFullExpiry : ExpiryContract<SqliteFull>;
public sealed class SqliteFullMisuse : MisuseContract<SqliteFull>;
public sealed class SqliteFullUnique : UniqueContract<SqliteFull>;
public sealed class SqliteFullNames : NamesContract<SqliteFull>;
public sealed class SqliteFullParking : ParkingContract<SqliteFull>;
public sealed class SqliteFullPause : PauseContract<SqliteFull>;
public sealed class SqliteFullQueues : QueuesContract<SqliteFull>;
public sealed class SqliteFullReserve : ReserveContract<SqliteFull>;
public sealed class SqliteFullCancel : CancelContract<SqliteFull>;
public sealed class SqliteFullProgress : ProgressContract<SqliteFull>;
public sealed class SqliteFullResults : ResultsContract<SqliteFull>;
public sealed class SqliteFullRetention : RetentionContract<SqliteFull>;
public sealed class SqliteFullSettle : SettleContract<SqliteFull>;
public sealed class SqliteFullListWorkers : ListWorkersContract<SqliteFull>;
public sealed class SqliteFullWorkers : WorkersContract<SqliteFull>;
public sealed class SqliteFullControl : ControlContract<SqliteFull>;
public sealed class SqliteFullDelete : DeleteContract<SqliteFull>;
public sealed class SqliteFullExplain : ExplainContract<SqliteFull>;
public sealed class SqliteFullFind : FindContract<SqliteFull>;
public sealed class SqliteFullList : ListContract<SqliteFull>;
public sealed class SqliteFullOverview : OverviewContract<SqliteFull>;
public sealed class SqliteFullRetry : RetryContract<SqliteFull>;
public sealed class SqliteFullDispose : DisposeContract<SqliteFull>;
public sealed class SqliteFullEndToEnd : EndToEndContract<SqliteFull>;
public sealed class SqliteFullOpen : OpenContract<SqliteFull>;
public sealed class SqliteFullModel : ModelContract<SqliteFull>;
public sealed class SqliteFullStateTable : StateTableContract<SqliteFull>;
public sealed class SqliteFullProcesses : ProcessesContract<SqliteFull>;
public sealed class SqliteFullSharedResults : SharedResultsContract<SqliteFull>;
public sealed class SqliteFullSharedUnique : SharedUniqueContract<SqliteFull>;
public sealed class SqliteFullTransactions : TransactionsContract<SqliteFull>;
