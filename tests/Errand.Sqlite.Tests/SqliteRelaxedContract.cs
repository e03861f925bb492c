using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class SqliteRelaxed() : SqliteFile(Durability.Relaxed);

public sealed class SqliteRelaxedDelay : DelayContract<SqliteRelaxed>;
public sealed class SqliteRelaxedEnqueue : EnqueueContract<SqliteRelaxed>;
public sealed class SqliteRelaxedExpiry : ExpiryContract<SqliteRelaxed>;
public sealed class SqliteRelaxedMisuse : MisuseContract<SqliteRelaxed>;
public sealed class SqliteRelaxedUnique : UniqueContract<SqliteRelaxed>;
public sealed class SqliteRelaxedNames : NamesContract<SqliteRelaxed>;
public sealed class SqliteRelaxedParking : ParkingContract<SqliteRelaxed>;
public sealed class SqliteRelaxedPause : PauseContract<SqliteRelaxed>;
public sealed class SqliteRelaxedQueues : QueuesContract<SqliteRelaxed>;
public sealed class SqliteRelaxedReserve : ReserveContract<SqliteRelaxed>;
public sealed class SqliteRelaxedCancel : CancelContract<SqliteRelaxed>;
public sealed class SqliteRelaxedProgress : ProgressContract<SqliteRelaxed>;
public sealed class SqliteRelaxedResults : ResultsContract<SqliteRelaxed>;
public sealed class SqliteRelaxedRetention : RetentionContract<SqliteRelaxed>;
public sealed class SqliteRelaxedSettle : SettleContract<SqliteRelaxed>;
public sealed class SqliteRelaxedListWorkers : ListWorkersContract<SqliteRelaxed>;
public sealed class SqliteRelaxedWorkers : WorkersContract<SqliteRelaxed>;
public sealed class SqliteRelaxedControl : ControlContract<SqliteRelaxed>;
public sealed class SqliteRelaxedDelete : DeleteContract<SqliteRelaxed>;
public sealed class SqliteRelaxedExplain : ExplainContract<SqliteRelaxed>;
public sealed class SqliteRelaxedFind : FindContract<SqliteRelaxed>;
public sealed class SqliteRelaxedList : ListContract<SqliteRelaxed>;
public sealed class SqliteRelaxedOverview : OverviewContract<SqliteRelaxed>;
public sealed class SqliteRelaxedRetry : RetryContract<SqliteRelaxed>;
public sealed class SqliteRelaxedDispose : DisposeContract<SqliteRelaxed>;
public sealed class SqliteRelaxedEndToEnd : EndToEndContract<SqliteRelaxed>;
public sealed class SqliteRelaxedOpen : OpenContract<SqliteRelaxed>;
public sealed class SqliteRelaxedModel : ModelContract<SqliteRelaxed>;
public sealed class SqliteRelaxedStateTable : StateTableContract<SqliteRelaxed>;
public sealed class SqliteRelaxedProcesses : ProcessesContract<SqliteRelaxed>;
public sealed class SqliteRelaxedSharedResults : SharedResultsContract<SqliteRelaxed>;
public sealed class SqliteRelaxedSharedUnique : SharedUniqueContract<SqliteRelaxed>;
public sealed class SqliteRelaxedTransactions : TransactionsContract<SqliteRelaxed>;
