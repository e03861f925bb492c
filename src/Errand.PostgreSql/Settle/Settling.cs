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

    internal Operation<Turn, bool> MarkSuccess(TaskLease lease, ReadOnlyMemory<byte> result) =>
        new SettleOperation(this, SettleKind.Success, new SettleRow(lease, result.ToArray(), 0));

    internal Operation<Turn, bool> MarkFailure(TaskLease lease, TaskFailure failure) => new SettleOperation(
        this, failure.RetryAfter is null ? SettleKind.Failure : SettleKind.Retry,
        new SettleRow(
            lease, Encoding.UTF8.GetBytes(failure.Error), NewTasks.Milliseconds(failure.RetryAfter ?? TimeSpan.Zero)));

    internal Operation<Turn, bool> MarkCancelled(TaskLease lease, string? reason) => new SettleOperation(
        this, SettleKind.Cancel, new SettleRow(lease, reason is null ? null : Encoding.UTF8.GetBytes(reason), 0));

    internal Operation<Turn, bool> Snooze(TaskLease lease, TimeSpan delay) =>
        new SettleOperation(this, SettleKind.Snooze, new SettleRow(lease, null, NewTasks.Milliseconds(delay)));

    internal Operation<Turn, bool> Release(TaskLease lease) =>
        new SettleOperation(this, SettleKind.Release, new SettleRow(lease, null, 0));

    internal static Operation<Turn, bool> Holds(TaskLease lease, Results results) => new HoldsOperation(lease, results);

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

        public IEnumerable<long> LockedTasks => [row.Lease.Id];

        internal override void Run(Turn turn)
        {
            var rows = settling.RowsOf(turn);
            _rows = rows.Add(kind, row, MayBeDone) ? rows : null;
        }

        internal override void Complete()
        {
            Result = _rows?.IsSettled(row.Lease) == true;
            base.Complete();
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
                .With("id", lease.Id).With("owner", lease.Owner).With("epoch", lease.Epoch);
        }

        internal override void Complete()
        {
            if (!Result)
            {
                results.LookAgain(); // Another connection has settled it: a caller here may wait for its result.
            }

            base.Complete();
        }
    }
}
