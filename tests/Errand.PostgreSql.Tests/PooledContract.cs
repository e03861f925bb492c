using Errand.Contract;

namespace Errand.PostgreSql.Tests;

/// <summary>PostgreSQL behind a pooler of transactions; callers' own transactions go to the server directly.</summary>
public sealed class Pooled : Postgres
{
    private PgBouncer _bouncer = null!;

    public override async ValueTask StartAsync()
    {
        await base.StartAsync();
        _bouncer = await Server.PoolerAsync();
    }

    protected override string ConnectionString(int number) => _bouncer.ConnectionString(number);
}

public sealed class PooledDelay : DelayContract<Pooled>;
public sealed class PooledEnqueue : EnqueueContract<Pooled>;
public sealed class PooledExpiry : ExpiryContract<Pooled>;
public sealed class PooledHeaders : HeadersContract<Pooled>;
public sealed class PooledMisuse : MisuseContract<Pooled>;
public sealed class PooledUnique : UniqueContract<Pooled>;
public sealed class PooledNames : NamesContract<Pooled>;
public sealed class PooledParking : ParkingContract<Pooled>;
public sealed class PooledPause : PauseContract<Pooled>;
public sealed class PooledQueues : QueuesContract<Pooled>;
public sealed class PooledReserve : ReserveContract<Pooled>;
public sealed class PooledCancel : CancelContract<Pooled>;
public sealed class PooledAttemptLogs : AttemptLogsContract<Pooled>;
public sealed class PooledProgress : ProgressContract<Pooled>;
public sealed class PooledResults : ResultsContract<Pooled>;
public sealed class PooledRetention : RetentionContract<Pooled>;
public sealed class PooledSettle : SettleContract<Pooled>;
public sealed class PooledListWorkers : ListWorkersContract<Pooled>;
public sealed class PooledWorkers : WorkersContract<Pooled>;
public sealed class PooledControl : ControlContract<Pooled>;
public sealed class PooledDelete : DeleteContract<Pooled>;
public sealed class PooledExplain : ExplainContract<Pooled>;
public sealed class PooledFind : FindContract<Pooled>;
public sealed class PooledList : ListContract<Pooled>;
public sealed class PooledOverview : OverviewContract<Pooled>;
public sealed class PooledRetry : RetryContract<Pooled>;
public sealed class PooledDispose : DisposeContract<Pooled>;
public sealed class PooledEndToEnd : EndToEndContract<Pooled>;
public sealed class PooledOpen : OpenContract<Pooled>;
public sealed class PooledModel : ModelContract<Pooled>;
public sealed class PooledStateTable : StateTableContract<Pooled>;
public sealed class PooledProcesses : ProcessesContract<Pooled>;
public sealed class PooledSharedResults : SharedResultsContract<Pooled>;
public sealed class PooledSharedUnique : SharedUniqueContract<Pooled>;
public sealed class PooledTransactions : TransactionsContract<Pooled>;
