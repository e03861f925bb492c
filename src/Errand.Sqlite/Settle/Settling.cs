namespace Errand.Sqlite.Settle;

/// <summary>
/// Settle: what becomes of a task whose attempt has ended. Every statement is fenced by id, owner and epoch, and needs
/// its one row.
/// </summary>
internal sealed class Settling(ResultWaits<Turn> results, RunningTasks running) : Part<Turn>
{
    internal override Moments Hears => Moments.None;

    internal Operation<Turn, bool> Settle(TaskLease lease, Settlement settlement) => new SettleOperation(running, lease, settlement);

    internal Operation<Turn, bool> Holds(TaskLease lease) => new HoldsOperation(results, running, lease);

    // language=sqlite
    private const string ArchiveSuccessSql = $"""
        insert into errand_finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, result)
        select id, 20, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @result
        from   errand_tasks
        where  {Turn.Fence}
        """;

    internal static bool Succeed(Turn turn, TaskLease lease, ReadOnlySpan<byte> result) =>
        turn.End(lease.Id.Value, Turn.Fenced(turn.Statement(ArchiveSuccessSql).With(turn.Now).With(result), lease));

    // language=sqlite
    private const string ArchiveFailureSql = $"""
        insert into errand_finished (
            id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error, max_attempts, timeout, retry,
            unique_key, headers, payload)
        select id, 21, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @error, max_attempts, timeout, retry,
               unique_key, headers, payload
        from   errand_tasks
        where  {Turn.Fence}
        """;

    private static bool FailPermanently(Turn turn, TaskLease lease, string error) =>
        turn.End(lease.Id.Value, Turn.Fenced(turn.Statement(ArchiveFailureSql).With(turn.Now).With(error), lease));

    // A task with a pending cancel request is not retried. language=sqlite
    private const string RetrySql = $"""
        update errand_tasks
        set    state = @state, owner = @nobody, due = @due
        where  {Turn.Fence} and cancelled is null
        """;

    private static bool Retry(Turn turn, TaskLease lease, string error, TimeSpan after)
    {
        Attempts.NoteFailed(turn, lease, error);
        return WaitAgain(turn, lease, RetrySql, after) || Cancellation.End(turn, lease, error);
    }

    // language=sqlite
    private const string SnoozeSql = $"""
        update errand_tasks
        set    state = @state, owner = @nobody, due = @due, attempt = attempt - 1
        where  {Turn.Fence} and cancelled is null
        """;

    private static bool Snooze(Turn turn, TaskLease lease, TimeSpan delay) =>
        WaitAgain(turn, lease, SnoozeSql, delay) || Cancellation.End(turn, lease, reason: null);

    private static bool WaitAgain(Turn turn, TaskLease lease, string sql, TimeSpan delay)
    {
        var due = turn.Now + NewTasks.Milliseconds(delay);
        var state = due <= turn.Now ? TaskState.Pending : TaskState.Scheduled;
        return turn.WaitAgain(due, Turn.Fenced(turn.Statement(sql).With((long)state).With(Turn.Nobody).With(due), lease)) == 1;
    }

    // language=sqlite
    private const string ReleaseSql = $"""
        update errand_tasks
        set    state = 10, owner = @nobody, attempt = attempt - 1
        where  {Turn.Fence} and cancelled is null
        """;

    /// <summary>A task waits again as if it had not been started; one that was to be cancelled ends.</summary>
    internal static bool Release(Turn turn, TaskLease lease) =>
        turn.WaitAgain(turn.Now, Turn.Fenced(turn.Statement(ReleaseSql).With(Turn.Nobody), lease)) == 1
        || Cancellation.End(turn, lease, reason: null);

    // language=sqlite
    private const string SelectOwnedSql = "select id, epoch from errand_tasks where owner = @owner and state = 12";

    /// <summary>Releases what an owner owns but for <paramref name="known"/>.</summary>
    internal static int ReleaseOwned(Turn turn, long owner, IReadOnlySet<TaskId> known)
    {
        List<TaskLease> owned = [];
        var rows = turn.Statement(SelectOwnedSql).With(owner);
        while (rows.Step())
        {
            owned.Add(Leases.Of(rows.Int64(0), owner, rows.Int64(1)));
        }

        return owned.Count(lease => !known.Contains(lease.Id) && Release(turn, lease));
    }

    // language=sqlite
    private const string ReleaseAllSql = "update errand_tasks set state = 10, owner = @nobody, attempt = attempt - 1 where state = 12";

    internal override void Rest(Turn copy) => copy.WaitAgain(copy.Now, copy.Statement(ReleaseAllSql).With(Turn.Nobody));

    // language=sqlite
    private const string WasArchivedSql = "select 1 from errand_finished where id = @id and epoch = @epoch and @state in (0, state)";

    /// <summary>
    /// Whether a settlement that held in a transaction, and finds nothing to settle now, was committed after all. It
    /// was when the task was archived by this epoch in the state that it asked for, because whoever sweeps a lost worker's tasks
    /// ends those that are to be cancelled under the same epoch; and it was, whatever became of the task, while the owner stands:
    /// whoever takes a task from an owner takes the owner away first.
    /// </summary>
    private static bool WasCommitted(Turn turn, TaskLease lease, Settlement settlement) =>
        turn.Statement(WasArchivedSql).With(lease.Id.Value).With(lease.Epoch).With(StateAfter(settlement)).Scalar() is not null
        || Incarnations.IsThere(turn, lease.Owner.Value);

    /// <summary>The state in which a task ends by a settlement; 0 if it is to live on, and may end in any.</summary>
    private static int StateAfter(Settlement settlement) => settlement switch
    {
        Settlement.Succeeded => (int)TaskState.Succeeded,
        Settlement.Failed => (int)TaskState.Failed,
        Settlement.Cancelled => (int)TaskState.Cancelled,
        _ => 0,
    };

    // language=sqlite
    private const string HoldsSql = $"select 1 from errand_tasks where {Turn.Fence}";

    /// <summary>
    /// A settlement is never written twice. When it finds nothing on its second run, its first, whose commit was not
    /// seen to succeed, may have been the one that settled the task.
    /// </summary>
    private sealed class SettleOperation(RunningTasks running, TaskLease lease, Settlement settlement) : Operation<Turn, bool>
    {
        private bool _heldBefore; // In the transaction whose commit was tried.

        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            Result = Write(turn) || (_heldBefore && MayBeDone && WasCommitted(turn, lease, settlement));
            _heldBefore = Result;
        }

        internal override bool Complete()
        {
            running.Forget(lease);
            return base.Complete();
        }

        private bool Write(Turn turn)
        {
            // If one of these leases was lost the turn fails, and each is settled alone.
            if (!IsAlone && settlement is Settlement.Succeeded succeeded && running.TryFind(lease, out var task))
            {
                turn.End(task, succeeded.Result);
                return true;
            }

            return WriteAlone(turn);
        }

        private bool WriteAlone(Turn turn) => settlement switch
        {
            Settlement.Succeeded succeeded => Succeed(turn, lease, succeeded.Result.Span),
            Settlement.Failed failed => FailPermanently(turn, lease, failed.Error),
            Settlement.Retried retried => Retry(turn, lease, retried.Error, retried.After),
            Settlement.Cancelled cancelled => Cancellation.End(turn, lease, cancelled.Reason),
            Settlement.Snoozed snoozed => Snooze(turn, lease, snoozed.Delay),
            _ => Release(turn, lease),
        };
    }

    private sealed class HoldsOperation(ResultWaits<Turn> results, RunningTasks running, TaskLease lease) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            Result = Turn.Fenced(turn.Statement(HoldsSql), lease).Scalar() is not null;
            if (!Result)
            {
                running.Forget(lease);
                results.LookAgain(); // Another connection has settled it: callers that wait for it here may be told.
            }
        }
    }
}
