using System.Text;

namespace Errand.PostgreSql.Settle;

/// <summary>
/// Settle: the operations, and the rule by which a task is completed, in turns and in callers' transactions.
/// </summary>
internal sealed class Settling(StoreClock clock, Expiry expiry, Vacuum vacuum)
{
    internal StoreClock Clock => clock;

    internal Expiry Expiry => expiry;

    internal Vacuum Vacuum => vacuum;

    internal Operation<Turn, bool> Settle(TaskLease lease, Settlement settlement) => settlement switch
    {
        Settlement.Succeeded succeeded => Settle(SettleKind.Success, lease, succeeded.Result.ToArray()),
        Settlement.Failed failed => Settle(SettleKind.Failure, lease, Utf8(failed.Error)),
        Settlement.Retried retried => Settle(SettleKind.Retry, lease, Utf8(retried.Error), retried.After),
        Settlement.Cancelled cancelled => Settle(SettleKind.Cancel, lease, Utf8(cancelled.Reason)),
        Settlement.Snoozed snoozed => Settle(SettleKind.Snooze, lease, null, snoozed.Delay),
        _ => Settle(SettleKind.Release, lease, null),
    };

    private SettleOperation Settle(SettleKind kind, TaskLease lease, byte[]? value, TimeSpan delay = default) =>
        new(this, kind, new SettleRow(lease, value, NewTasks.Milliseconds(delay)));

    private static byte[]? Utf8(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text);

    internal static Operation<Turn, bool> Holds(TaskLease lease, Results results) => new HoldsOperation(lease, results);

    // language=postgresql
    internal const string ArchiveSuccessSql = $"""
        with settled as (
            {Turn.DeleteTasks} t
            using  unnest(@ids, @owners, @epochs, @results) as s (id, owner, epoch, result)
            where  {Turn.Fence}
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, s.result
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, result)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name,
               20, result
        from   settled
        returning id, epoch
        """;

    // language=postgresql
    internal const string ArchiveFailureSql = $"""
        with settled as (
            {Turn.DeleteTasks} t
            using  unnest(@ids, @owners, @epochs, @errors) as s (id, owner, epoch, error)
            where  {Turn.Fence}
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name,
                s.error, t.timeout, t.max_attempts, t.retry, t.unique_key, t.headers, t.payload
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error, timeout,
            max_attempts, retry, unique_key, headers, payload)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name,
               21, error, timeout,
               max_attempts, retry, unique_key, headers, payload
        from   settled
        returning id, epoch
        """;

    // A task with a pending cancel request is not retried. language=postgresql
    internal const string RetrySql = $"""
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        ),
        retried as (
            update errand.errand_tasks t
            set    state = case when s.delay <= 0 then 10 else 11 end, owner = 0, due = now + s.delay
            from   clock, unnest(@ids, @owners, @epochs, @delays, @errors) as s (id, owner, epoch, delay, error)
            where  {Turn.Fence}
            and    t.cancelled is null
            returning t.id, t.epoch, t.due, t.expires, t.started, t.attempt, s.owner, s.error
        ),
        noted as (
            insert into errand.errand_attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, now, owner, attempt, error
            from   retried, clock
        )
        select id, epoch, due, expires
        from   retried
        """;

    // language=postgresql
    internal const string SnoozeSql = $"""
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        )
        update errand.errand_tasks t
        set    state = case when s.delay <= 0 then 10 else 11 end, owner = 0, due = now + s.delay,
               attempt = t.attempt - 1
        from   clock, unnest(@ids, @owners, @epochs, @delays) as s (id, owner, epoch, delay)
        where  {Turn.Fence}
        and    t.cancelled is null
        returning t.id, t.epoch, t.due, t.expires
        """;

    // language=postgresql
    internal const string ReleaseSql = $"""
        update errand.errand_tasks t
        set    state = 10, owner = 0, attempt = t.attempt - 1
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  {Turn.Fence}
        and    t.cancelled is null
        returning t.id, t.epoch, t.due, t.expires
        """;

    // language=postgresql
    internal const string WasArchivedSql = """
        select f.id, f.epoch
        from   errand.errand_finished f
        join   unnest(@ids, @owners, @epochs, @states) as s (id, owner, epoch, state)
               on f.id = s.id and f.owner = s.owner and f.epoch = s.epoch and s.state in (0, f.state)
        """;

    // language=postgresql
    internal const string WasGivenUpSql = """
        select s.id, s.epoch
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  exists (select from errand.errand_workers w where w.id = s.owner)
        and    not exists (
            select
            from   errand.errand_tasks t
            where  t.id = s.id and t.owner + 0 = s.owner and t.epoch = s.epoch and t.state + 0 = 12)
        """;

    /// <summary>Collects a success in a turn, whose end writes it.</summary>
    internal SettleRows Complete(Turn turn, TaskLease lease, ReadOnlyMemory<byte> result)
    {
        var rows = RowsOf(turn);
        rows.Add(SettleKind.Success, new SettleRow(lease, result.ToArray(), 0), mayBeDone: false);
        return rows;
    }

    private SettleRows RowsOf(Turn turn) => turn.Rows(() => new SettleRows(this));

    private sealed class SettleOperation(
        Settling settling, SettleKind kind, SettleRow row) : Operation<Turn, bool>, ILocksTasks
    {
        private SettleRows? _rows; // Null when it is not the first of this turn with its lease.

        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override long Bytes => row.Value?.Length ?? 0;

        public IEnumerable<long> LockedTasks => [row.Lease.Id.Value];

        internal override void Run(Turn turn)
        {
            var rows = settling.RowsOf(turn);
            _rows = rows.Add(kind, row, MayBeDone) ? rows : null;
        }

        internal override bool Complete()
        {
            Result = _rows?.IsSettled(row.Lease) == true;
            return base.Complete();
        }
    }

    // language=postgresql
    private const string HoldsSql = $"select id from errand.errand_tasks where {Turn.FenceOfOne}";

    private sealed class HoldsOperation(TaskLease lease, Results results) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            Result = false;
            turn.Add(HoldsSql, _ => Result = true)
                .With("id", lease.Id.Value).With("owner", lease.Owner.Value).With("epoch", lease.Epoch);
        }

        internal override bool Complete()
        {
            if (!Result)
            {
                results.LookAgain(); // Another connection has settled it: a caller here may wait for its result.
            }

            return base.Complete();
        }
    }
}
