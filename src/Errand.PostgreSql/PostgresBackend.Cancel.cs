using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>
/// Cancel: what waits ends at once; what runs is marked, and its worker told, from every turn that may have brought such a mark until
/// the task is settled.
/// </summary>
public sealed partial class PostgresBackend
{
    /// <summary>How often marks that others have made are looked for at most.</summary>
    private static readonly TimeSpan CancelInterval = TimeSpan.FromMilliseconds(250);

    private bool _cancelsMayBeThere; // Somebody may have marked a task of ours.
    private bool _cancelledHere; // One of those marks is of this backend.
    private long _lastCancelLook;

    private bool CancelLookIsDue => _workers.Count > 0 && _cancelsMayBeThere
        && (_cancelledHere || Passed(_time.GetElapsedTime(_lastCancelLook), CancelInterval));

    /// <inheritdoc cref="IBackend.CancelAsync"/>
    public async ValueTask<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new CancelOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    // So that it cannot be started, or given back, between the statements. language=postgresql
    private const string LockTaskSql = "select id from errand.tasks where id = @id for update";

    // language=postgresql
    private const string CancelWaitingSql = """
        with settled as (
            delete from errand.tasks
            where  id = @id and state + 0 <> 12
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 22
        from   settled
        returning id
        """;

    // language=postgresql
    private const string RequestCancelSql = "update errand.tasks set cancelled = 1 where id = @id and state + 0 = 12 returning id";

    // language=postgresql
    private const string EndStateSql = "select state from errand.finished where id = @id";

    // language=postgresql
    private const string SelectCancelledSql = """
        select id, owner, epoch
        from   errand.tasks
        where  owner = any(@ours) and state = 12 and cancelled is not null
        """;

    /// <summary>The workers of this backend hear which of their tasks are to be cancelled.</summary>
    private void TellCancelled(TurnBatch batch)
    {
        List<TaskLease> cancelled = [];
        batch.Add(SelectCancelledSql, row => cancelled.Add(
            new TaskLease { Id = new TaskId(row.GetInt64(0)), Owner = new WorkerId(row.GetInt64(1)), Epoch = row.GetInt64(2) }))
            .With("ours", _workers.Keys.ToArray());
        _cancelledHere = false;
        _afterCommit.Add(() =>
        {
            _lastCancelLook = _time.GetTimestamp();
            _cancelsMayBeThere = cancelled.Count > 0; // Until it is settled: the task may have been on its way to the worker.
            foreach (var lease in cancelled)
            {
                if (_workers.TryGetValue(lease.Owner.Value, out var worker))
                {
                    worker.CancelRequested?.Invoke(lease);
                }
            }
        });
    }

    private sealed class CancelOperation(PostgresBackend backend, long id) : Operation<CancelOutcome>
    {
        private CancelOutcome? _outcome;

        internal override long? Task => id;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            _outcome = null;
            backend.NoteEnded(id);
            batch
                .Add(LockTaskSql, _ => { }).With("id", id)
                .Add(EndStateSql, row => _outcome = MayBeDone && row.GetInt16(0) == (int)TaskState.Cancelled
                    ? CancelOutcome.Cancelled
                    : CancelOutcome.AlreadyFinished)
                .With("id", id)
                .Add(CancelWaitingSql, _ => _outcome = CancelOutcome.Cancelled).With("now", TestNow).With("id", id)
                .Add(RequestCancelSql, _ => _outcome = CancelOutcome.Requested).With("id", id);
        }

        private long? TestNow => backend.TestNow;

        internal override void Complete()
        {
            if (_outcome is not { } outcome)
            {
                Fail(new TaskNotFoundException(new TaskId(id)));
                return;
            }

            if (outcome == CancelOutcome.Requested)
            {
                backend._cancelsMayBeThere = backend._cancelledHere = true;
                backend._wakeOwed = true;
            }

            Result = outcome;
            base.Complete();
        }
    }
}
