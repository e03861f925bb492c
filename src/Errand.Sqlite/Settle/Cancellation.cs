namespace Errand.Sqlite.Settle;

/// <summary>
/// Cancel: a task that waits ends at once; one that runs is marked. Its worker is told after the turn, and again from time
/// to time until the task is settled.
/// </summary>
internal sealed class Cancellation(Incarnations incarnations, TimeProvider time) : Part<Turn>
{
    /// <summary>How often marks that others have made are looked for at most.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);

    private readonly List<TaskLease> _marked = []; // In this turn: told at once, and only these, whatever was marked before.
    private bool _mayBeMarked; // A task of ours may be marked, and not be settled yet.
    private long _lastLook;

    internal override Moments Hears => Moments.Doubted | Moments.Tidy;

    internal Operation<Turn, CancelOutcome> Cancel(long id) => new CancelOperation(this, id);

    internal override void Doubted(Doubt why) => _mayBeMarked |= why is Doubt.Polled or Doubt.OthersWrote;

    // language=sqlite
    private const string ArchiveCancelledSql = """
        insert into errand_finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished)
        select id, 22, queue, name, priority, attempt, epoch, enqueued, due, started, @now
        from   errand_tasks
        where  id = @id and state in (10, 11)
        """;

    // language=sqlite
    private const string RequestCancelSql = "update errand_tasks set cancelled = 1 where id = @id and state = 12 returning owner, epoch";

    /// <returns>Null when there is no such task.</returns>
    private CancelOutcome? Cancel(Turn turn, long id)
    {
        if (turn.End(id, turn.Statement(ArchiveCancelledSql).With(turn.Now).With(id)))
        {
            return CancelOutcome.Cancelled;
        }

        var marked = turn.Statement(RequestCancelSql).With(id);
        if (marked.Step())
        {
            var lease = Leases.Of(id, marked.Int64(0), marked.Int64(1));
            marked.Execute();
            turn.Effects.WakeOthers();
            turn.Effects.AfterCommit(() => _marked.Add(lease));
            return CancelOutcome.Requested;
        }

        return turn.Exists(id) ? CancelOutcome.AlreadyFinished : null;
    }

    // language=sqlite
    private const string ArchiveCancelledAttemptSql = $"""
        insert into errand_finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error)
        select id, 22, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @error
        from   errand_tasks
        where  {Turn.Fence}
        """;

    /// <summary>A task that runs ends as cancelled.</summary>
    internal static bool End(Turn turn, TaskLease lease, string? reason) =>
        turn.End(lease.Id.Value, Turn.Fenced(turn.Statement(ArchiveCancelledAttemptSql).With(turn.Now).With(reason), lease));

    // language=sqlite
    private const string EndedCancelledSql = "select 1 from errand_finished where id = @id and state = 22";

    private static bool EndedCancelled(Turn turn, long id) => turn.Statement(EndedCancelledSql).With(id).Scalar() is not null;

    // language=sqlite
    private const string SelectCancelledSql =
        "select id, epoch from errand_tasks where owner = @owner and state = 12 and cancelled is not null";

    /// <summary>The workers of this process hear which of their tasks are to be cancelled.</summary>
    internal override ValueTask TidyAsync(Turn? reader)
    {
        List<TaskLease> cancelled = [.. _marked];
        _marked.Clear();
        if (reader is not null && _mayBeMarked && time.GetElapsedTime(_lastLook) >= LookInterval)
        {
            _lastLook = time.GetTimestamp();
            _mayBeMarked = false;
            Look(reader, cancelled);
        }

        _mayBeMarked |= cancelled.Count > 0; // Until they are settled: a task may have been on its way to its worker.
        foreach (var lease in cancelled)
        {
            Tell(lease);
        }

        return default;
    }

    private void Tell(TaskLease lease)
    {
        try
        {
            incarnations.Find(lease.Owner.Value)?.CancelRequested?.Invoke(lease);
        }
        catch (Exception)
        {
            // The worker's own code, called again later: what it throws must not keep another worker from its cancels.
        }
    }

    private void Look(Turn reader, List<TaskLease> cancelled)
    {
        foreach (var worker in incarnations)
        {
            var rows = reader.Statement(SelectCancelledSql).With(worker.Owner);
            while (rows.Step())
            {
                cancelled.Add(Leases.Of(rows.Int64(0), worker.Owner, rows.Int64(1)));
            }
        }
    }

    // language=sqlite
    private const string SelectAllCancelledSql = "select id, owner, epoch from errand_tasks where state = 12 and cancelled is not null";

    internal override void Rest(Turn copy)
    {
        List<TaskLease> cancelled = [];
        var rows = copy.Statement(SelectAllCancelledSql);
        while (rows.Step())
        {
            cancelled.Add(Leases.Of(rows.Int64(0), rows.Int64(1), rows.Int64(2)));
        }

        cancelled.ForEach(lease => End(copy, lease, reason: null));
    }

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'Task ' || id || ' is to be cancelled, but does not run.' from errand_tasks where cancelled is not null and state <> 12 limit 20
        """,
    ];

    private sealed class CancelOperation(Cancellation cancellation, long id) : Operation<Turn, CancelOutcome>
    {
        private CancelOutcome? _outcome;

        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn)
        {
            // After a rollback whose commit was done after all, a second run finds the task ended by the first.
            var outcome = cancellation.Cancel(turn, id);
            _outcome = _outcome == CancelOutcome.Cancelled && outcome == CancelOutcome.AlreadyFinished && EndedCancelled(turn, id)
                ? _outcome
                : outcome;
            Result = _outcome.GetValueOrDefault();
            Refusal = _outcome is null ? new TaskNotFoundException(new TaskId(id)) : null;
        }
    }
}
