using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>
/// Cancel: what waits ends at once; what runs is marked, and its worker told, from every turn that may have brought such a mark until
/// the task is settled.
/// </summary>
public sealed partial class SqliteBackend
{
    /// <summary>How often marks that others have made are looked for at most.</summary>
    private static readonly TimeSpan CancelInterval = TimeSpan.FromMilliseconds(250);

    private bool _cancelsMayBeThere; // Somebody has written who may have marked a task of ours.
    private bool _cancelledHere; // One of those marks is of this turn.
    private long _lastCancelLook;

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new CancelOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    // language=sqlite
    private const string ArchiveCancelledSql = """
        insert into finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error)
        select id, 22, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @error
        from   tasks
        where  id = @id and state in (10, 11)
        """;

    // language=sqlite
    private const string RequestCancelSql = "update tasks set cancelled = 1 where id = @id and state = 12";

    /// <returns>Null when there is no such task.</returns>
    private CancelOutcome? Cancel(long id)
    {
        if (Database.Statement(ArchiveCancelledSql).With(_now).With((string?)null).With(id).Execute() == 1)
        {
            End(id);
            return CancelOutcome.Cancelled;
        }

        if (Database.Statement(RequestCancelSql).With(id).Execute() == 1)
        {
            _cancelsMayBeThere = true;
            _cancelledHere = true;
            _wakeOwed = true;
            return CancelOutcome.Requested;
        }

        return Exists(Database, id) ? CancelOutcome.AlreadyFinished : null;
    }

    // language=sqlite
    private const string EndedCancelledSql = "select 1 from finished where id = @id and state = 22";

    private bool EndedCancelled(long id) => Database.Statement(EndedCancelledSql).With(id).Scalar() is not null;

    // language=sqlite
    private const string SelectCancelledSql =
        "select id, epoch from tasks where owner = @owner and state = 12 and cancelled is not null";

    /// <summary>After a turn, in no transaction: the workers of this backend hear which of their tasks are to be cancelled.</summary>
    private void TellCancelled()
    {
        if (!_cancelsMayBeThere || (!_cancelledHere && !Passed(_time.GetElapsedTime(_lastCancelLook), CancelInterval)))
        {
            return;
        }

        _cancelsMayBeThere = _cancelledHere = false;
        _lastCancelLook = _time.GetTimestamp();
        foreach (var worker in _workers.Values)
        {
            if (worker.CancelRequested is not { } tell)
            {
                continue;
            }

            var rows = Database.Statement(SelectCancelledSql).With(worker.Owner);
            while (rows.Step())
            {
                tell(new TaskLease { Id = new TaskId(rows.Int64(0)), Owner = new WorkerId(worker.Owner), Epoch = rows.Int64(1) });
                _cancelsMayBeThere = true; // Until it is settled: the task may have been on its way to the worker.
            }
        }
    }

    private sealed class CancelOperation(SqliteBackend backend, long id) : Operation<CancelOutcome>
    {
        private CancelOutcome? _outcome;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            // After a rollback whose commit was done after all, a second run finds the task ended by the first.
            var outcome = backend.Cancel(id);
            _outcome = _outcome == CancelOutcome.Cancelled && outcome == CancelOutcome.AlreadyFinished && backend.EndedCancelled(id)
                ? _outcome
                : outcome;
        }

        internal override void Complete()
        {
            if (_outcome is { } outcome)
            {
                Result = outcome;
                base.Complete();
            }
            else
            {
                Fail(new TaskNotFoundException(new TaskId(id)));
            }
        }
    }
}
