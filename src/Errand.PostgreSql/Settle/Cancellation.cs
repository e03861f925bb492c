namespace Errand.PostgreSql.Settle;

/// <summary>
/// Cancel: a task that waits ends at once. One that runs is marked. Its worker is told after the turn, and again from
/// time to time until the task is settled.
/// </summary>
internal sealed class Cancellation(Incarnations workers, StoreClock clock, TimeProvider time) : Part<Turn>
{
    /// <summary>How often marks that others have made are looked for at most.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    private bool _mayBeMarked; // Somebody may have marked a task of ours.
    private long _lastLook;

    internal override Moments Hears => Moments.Doubted | Moments.Plan | Moments.Upkeep;

    private bool IsLookDue =>
        workers.Count > 0 && _mayBeMarked && time.GetElapsedTime(_lastLook) >= LookInterval;

    internal override void Doubted(Doubt why) => _mayBeMarked |= why == Doubt.Polled;

    internal override void Plan(Agenda agenda)
    {
        if (_mayBeMarked && workers.Count > 0)
        {
            agenda.Every(LookInterval, _lastLook);
        }
    }

    internal override Action<Turn>? Upkeep(Turn reader, long now) => IsLookDue ? Tell : null;

    /// <summary>A task that waits is cancelled, and one that runs is marked.</summary>
    internal Operation<Turn, CancelOutcome> Cancel(long id) => new CancelOperation(this, id);

    // So that it cannot be started, or made to wait again, between the statements. language=postgresql
    private const string LockTaskSql = "select id from errand.errand_tasks where id = @id for update";

    // language=postgresql
    private const string CancelWaitingSql = $"""
        with settled as (
            {Turn.DeleteTasks}
            where  id = @id and state + 0 <> 12
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name, 22
        from   settled
        returning id
        """;

    // language=postgresql
    private const string RequestCancelSql =
        "update errand.errand_tasks set cancelled = 1 where id = @id and state + 0 = 12 returning owner, epoch";

    // language=postgresql
    private const string EndStateSql = "select state from errand.errand_finished where id = @id";

    // The sum keeps the planner away from the index of running tasks, which may be full of dead ones. language=postgresql
    internal const string SelectCancelledSql = """
        select id, owner, epoch
        from   errand.errand_tasks
        where  owner = any(@ours) and state + 0 = 12 and cancelled is not null
        """;

    // Comes after the others: a task that they made wait again is not running any more. language=postgresql
    internal const string ArchiveCancelledSql = $"""
        with settled as (
            {Turn.DeleteTasks} t
            using  unnest(@ids, @owners, @epochs, @errors) as s (id, owner, epoch, error)
            where  {Turn.Fence}
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, s.error
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name,
               22, error
        from   settled
        returning id, epoch
        """;

    /// <summary>Tells the workers of this backend which of their tasks are to be cancelled.</summary>
    internal void Tell(Turn turn)
    {
        List<TaskLease> cancelled = [];
        turn
            .Add(SelectCancelledSql, row =>
                cancelled.Add(Leases.Of(row.GetInt64(0), row.GetInt64(1), row.GetInt64(2))))
            .With("ours", workers.Owners());
        turn.Effects.AfterCommit(() =>
        {
            _lastLook = time.GetTimestamp();
            _mayBeMarked = cancelled.Count > 0; // Until it is settled: the task may have been on its way to the worker.
            foreach (var lease in cancelled)
            {
                workers.Find(lease.Owner.Value)?.CancelRequested?.Invoke(lease);
            }
        });
    }

    private sealed class CancelOperation(
        Cancellation cancellation, long id) : Operation<Turn, CancelOutcome>, ILocksTasks
    {
        private CancelOutcome? _outcome;

        internal override TurnStage Stage => TurnStage.Settle;

        public IEnumerable<long> LockedTasks => [id];

        internal override void Run(Turn turn)
        {
            _outcome = null;
            turn.Add(LockTaskSql).With("id", id);
            turn
                .Add(EndStateSql, row => _outcome = MayBeDone && row.GetInt16(0) == (int)TaskState.Cancelled
                    ? CancelOutcome.Cancelled
                    : CancelOutcome.AlreadyFinished)
                .With("id", id);
            turn.End(CancelWaitingSql, _ => _outcome = CancelOutcome.Cancelled)
                .With("now", cancellation.TestNow).With("id", id);
            turn
                .Add(RequestCancelSql, row =>
                {
                    var lease = Leases.Of(id, row.GetInt64(0), row.GetInt64(1));
                    _outcome = CancelOutcome.Requested;
                    turn.Effects.WakeOthers();
                    turn.Effects.AfterCommit(() => cancellation.Marked(lease));
                })
                .With("id", id);
            if (MayBeDone)
            {
                turn.Effects.Ended.Add(id); // By a turn whose answer was lost: whoever waits for it has not been told.
            }
        }

        internal override bool Complete()
        {
            Refusal = _outcome is null ? new TaskNotFoundException(new TaskId(id)) : null;
            Result = _outcome.GetValueOrDefault();
            return base.Complete();
        }
    }

    private long? TestNow => clock.TestNow;

    /// <summary>Told at once, and only this one, whatever was marked before.</summary>
    private void Marked(TaskLease lease)
    {
        _mayBeMarked = true; // Until it is settled: the task may have been on its way to the worker.
        workers.Find(lease.Owner.Value)?.CancelRequested?.Invoke(lease);
    }
}
