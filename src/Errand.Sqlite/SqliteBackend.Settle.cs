using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Settle: every statement is fenced by id, owner and epoch, and needs its one row.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<bool> SettleAsync(
        TaskLease lease, Settlement settlement, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settlement);
        Operation<bool> operation = settlement switch
        {
            Settlement.Succeeded succeeded => new MarkSuccessOperation(this, lease, succeeded.Result),
            Settlement.Failed failed => new MarkFailureOperation(this, lease, failed.Error, null),
            Settlement.Retried retried => new MarkFailureOperation(this, lease, retried.Error, retried.After),
            Settlement.Cancelled cancelled => new MarkCancelledOperation(this, lease, cancelled.Reason),
            Settlement.Snoozed snoozed => new SnoozeOperation(this, lease, snoozed.Delay),
            _ => new ReleaseOperation(this, lease),
        };
        return await SubmitAsync(operation, cancellationToken).ConfigureAwait(false);
    }

    // language=sqlite
    private const string ArchiveSuccessSql = """
        insert into finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, result)
        select id, 20, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @result
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12
        """;

    // language=sqlite
    private const string DeleteTaskSql = "delete from tasks where id = @id";

    private static bool Succeed(SqliteDatabase database, TaskLease lease, ReadOnlySpan<byte> result, long now)
    {
        var archived = database.Statement(ArchiveSuccessSql)
            .With(now).With(result).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute();
        return archived == 1 && database.Statement(DeleteTaskSql).With(lease.Id.Value).Execute() == 1;
    }

    private bool MarkSuccess(TaskLease lease, ReadOnlySpan<byte> result)
    {
        var succeeded = Succeed(Database, lease, result, _now);
        if (succeeded)
        {
            NoteEnded(lease.Id.Value);
        }

        return succeeded;
    }

    // language=sqlite
    private const string ArchiveFailureSql = """
        insert into finished (
            id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error, max_attempts, timeout, retry,
            unique_key, payload)
        select id, 21, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @error, max_attempts, timeout, retry,
               unique_key, payload
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12
        """;

    // A task with a pending cancel request is not retried. language=sqlite
    private const string RetrySql = """
        update tasks
        set    state = @state, owner = @nobody, due = @due
        where  id = @id and owner = @owner and epoch = @epoch and state = 12 and cancelled is null
        """;

    private bool MarkFailure(TaskLease lease, string error, TimeSpan? retryAfter)
    {
        if (retryAfter is not { } delay)
        {
            var archived = Database.Statement(ArchiveFailureSql)
                .With(_now).With(error).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute();
            return archived == 1 && End(lease.Id.Value);
        }

        NoteFailed(lease, error);
        var (state, due) = After(delay);
        return Database.Statement(RetrySql)
            .With((long)state).With(Nobody).With(due).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute() == 1
            || MarkCancelled(lease, error);
    }

    // language=sqlite
    private const string NoteFailedSql = """
        insert into attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, @now, owner, @error
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12 and cancelled is null
        """;

    // language=sqlite
    private const string ForgetAttemptsSql = """
        delete from attempts
        where  task = @task
        and    epoch not in (select epoch from attempts where task = @task order by epoch desc limit @kept)
        """;

    private void NoteFailed(TaskLease lease, string error)
    {
        Database.Statement(NoteFailedSql).With(_now).With(error).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute();
        if (lease.Epoch > Defaults.AttemptsKept)
        {
            Database.Statement(ForgetAttemptsSql).With(lease.Id.Value).With(Defaults.AttemptsKept).Execute();
        }
    }

    /// <summary>Where a task stands that waits so long, and until when; who waits for such tasks will look.</summary>
    private (TaskState State, long Due) After(TimeSpan delay)
    {
        var due = _now + (long)Math.Ceiling(delay.TotalMilliseconds);
        _nextDue = Math.Min(_nextDue, due);
        NoteReady();
        _nextExpiry = 0; // It may expire meanwhile.
        return (due <= _now ? TaskState.Pending : TaskState.Scheduled, due);
    }

    // language=sqlite
    private const string ArchiveCancelledAttemptSql = """
        insert into finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error)
        select id, 22, queue, name, priority, attempt, epoch, enqueued, due, started, @now, @error
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12
        """;

    private bool MarkCancelled(TaskLease lease, string? reason)
    {
        var archived = Database.Statement(ArchiveCancelledAttemptSql)
            .With(_now).With(reason).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute();
        return archived == 1 && End(lease.Id.Value);
    }

    // language=sqlite
    private const string SnoozeSql = """
        update tasks
        set    state = @state, owner = @nobody, due = @due, attempt = attempt - 1
        where  id = @id and owner = @owner and epoch = @epoch and state = 12 and cancelled is null
        """;

    private bool Snooze(TaskLease lease, TimeSpan delay)
    {
        var (state, due) = After(delay);
        return Database.Statement(SnoozeSql)
            .With((long)state).With(Nobody).With(due).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute() == 1
            || MarkCancelled(lease, null);
    }

    // language=sqlite
    private const string ReleaseSql = """
        update tasks
        set    state = 10, owner = @nobody, attempt = attempt - 1
        where  id = @id and owner = @owner and epoch = @epoch and state = 12 and cancelled is null
        """;

    private bool Release(TaskLease lease)
    {
        NoteReady();
        _nextExpiry = 0;
        return Database.Statement(ReleaseSql)
            .With(Nobody).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute() == 1
            || MarkCancelled(lease, null);
    }

    private bool End(long id)
    {
        Database.Statement(DeleteTaskSql).With(id).Execute();
        NoteEnded(id);
        return true;
    }

    // language=sqlite
    private const string WasArchivedSql = "select 1 from finished where id = @id and epoch = @epoch";

    /// <summary>
    /// Whether a settlement that held in a transaction, and finds nothing to settle now, was committed after all. It was when the
    /// task was archived by this epoch; and it was, whatever became of the task, while the owner stands: who takes a task from an
    /// owner takes the owner away first.
    /// </summary>
    private bool WasCommitted(TaskLease lease) =>
        Database.Statement(WasArchivedSql).With(lease.Id.Value).With(lease.Epoch).Scalar() is not null
        || Database.Statement(HasWorkerSql).With(lease.Owner.Value).Scalar() is not null;

    /// <summary>
    /// A settlement is never written twice. When it finds nothing on its second run, its first, whose commit was not seen to
    /// succeed, may have been the one that settled the task.
    /// </summary>
    private abstract class SettleOperation(SqliteBackend backend, TaskLease lease) : Operation<bool>
    {
        private bool _heldBefore; // Once the lease was found lost, no later run finds otherwise.

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            Result = Settle() || (_heldBefore && backend.WasCommitted(lease));
            _heldBefore = Result;
        }

        protected abstract bool Settle();
    }

    private sealed class MarkSuccessOperation(SqliteBackend backend, TaskLease lease, ReadOnlyMemory<byte> result)
        : SettleOperation(backend, lease)
    {
        private readonly SqliteBackend _backend = backend;
        private readonly TaskLease _lease = lease;

        protected override bool Settle() => _backend.MarkSuccess(_lease, result.Span);
    }

    private sealed class MarkFailureOperation(SqliteBackend backend, TaskLease lease, string error, TimeSpan? retryAfter)
        : SettleOperation(backend, lease)
    {
        private readonly SqliteBackend _backend = backend;
        private readonly TaskLease _lease = lease;

        protected override bool Settle() => _backend.MarkFailure(_lease, error, retryAfter);
    }

    private sealed class MarkCancelledOperation(SqliteBackend backend, TaskLease lease, string? reason) : SettleOperation(backend, lease)
    {
        private readonly SqliteBackend _backend = backend;
        private readonly TaskLease _lease = lease;

        protected override bool Settle() => _backend.MarkCancelled(_lease, reason);
    }

    private sealed class SnoozeOperation(SqliteBackend backend, TaskLease lease, TimeSpan delay) : SettleOperation(backend, lease)
    {
        private readonly SqliteBackend _backend = backend;
        private readonly TaskLease _lease = lease;

        protected override bool Settle() => _backend.Snooze(_lease, delay);
    }

    private sealed class ReleaseOperation(SqliteBackend backend, TaskLease lease) : SettleOperation(backend, lease)
    {
        private readonly SqliteBackend _backend = backend;
        private readonly TaskLease _lease = lease;

        protected override bool Settle() => _backend.Release(_lease);
    }
}
