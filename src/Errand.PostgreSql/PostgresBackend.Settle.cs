using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>
/// Settle: every statement is fenced by id, owner and epoch, and each settles its kind of a whole turn. The planner must fetch the
/// rows by <c>id = any(...)</c> and hash them: the index of running tasks would be read from end to end, and a loop would compare
/// every pair. So the ids stand there twice, and the state is checked in a way that is known only after the join.
/// </summary>
public sealed partial class PostgresBackend
{
    private readonly List<MarkSuccessOperation> _successes = [];
    private readonly List<MarkFailureOperation> _failures = [];
    private readonly List<MarkFailureOperation> _retries = [];
    private readonly List<SnoozeOperation> _snoozes = [];
    private readonly List<SettleOperation> _releases = [];
    private readonly List<SettleOperation> _cancels = []; // To end as cancelled, and those whose tasks were to be cancelled.
    private readonly HashSet<TaskLease> _settling = []; // Of this turn: a lease settles once.
    private readonly HashSet<(long Id, long Epoch)> _settled = [];

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

    // language=postgresql
    internal const string ArchiveSuccessSql = """
        with settled as (
            delete from errand.tasks t
            using  unnest(@ids, @owners, @epochs, @results) as s (id, owner, epoch, result)
            where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, s.result
        )
        insert into errand.finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, result)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 20, result
        from   settled
        returning id, epoch
        """;

    // language=postgresql
    private const string ArchiveFailureSql = """
        with settled as (
            delete from errand.tasks t
            using  unnest(@ids, @owners, @epochs, @errors) as s (id, owner, epoch, error)
            where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, s.error, t.timeout,
                t.max_attempts, t.retry, t.unique_key, t.payload
        )
        insert into errand.finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error, timeout, max_attempts, retry,
            unique_key, payload)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 21, error, timeout,
               max_attempts, retry, unique_key, payload
        from   settled
        returning id, epoch
        """;

    // A task with a pending cancel request is not retried. language=postgresql
    private const string RetrySql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        ),
        retried as (
            update errand.tasks t
            set    state = case when s.delay <= 0 then 10 else 11 end, owner = 0, due = now + s.delay
            from   clock, unnest(@ids, @owners, @epochs, @delays, @errors) as s (id, owner, epoch, delay, error)
            where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
            and    t.cancelled is null
            returning t.id, t.epoch, t.due, t.expires, t.started, t.attempt, s.owner, s.error
        ),
        noted as (
            insert into errand.attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, now, owner, attempt, error
            from   retried, clock
        )
        select id, epoch, due, expires
        from   retried
        """;

    // language=postgresql
    private const string ForgetAttemptsSql = """
        delete from errand.attempts a
        where  a.task = any(@ids)
        and    a.epoch not in (
            select k.epoch from errand.attempts k where k.task = a.task order by k.epoch desc limit @kept)
        returning a.task
        """;

    // language=postgresql
    private const string SnoozeSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        update errand.tasks t
        set    state = case when s.delay <= 0 then 10 else 11 end, owner = 0, due = now + s.delay, attempt = t.attempt - 1
        from   clock, unnest(@ids, @owners, @epochs, @delays) as s (id, owner, epoch, delay)
        where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
        and    t.cancelled is null
        returning t.id, t.epoch, t.due, t.expires
        """;

    // language=postgresql
    private const string ReleaseSql = """
        update errand.tasks t
        set    state = 10, owner = 0, attempt = t.attempt - 1
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
        and    t.cancelled is null
        returning t.id, t.epoch, t.due, t.expires
        """;

    // Comes after the others: what they have given back is not running any more. language=postgresql
    private const string ArchiveCancelledSql = """
        with settled as (
            delete from errand.tasks t
            using  unnest(@ids, @owners, @epochs, @errors) as s (id, owner, epoch, error)
            where  t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, s.error
        )
        insert into errand.finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 22, error
        from   settled
        returning id, epoch
        """;

    /// <summary>Adds what the operations of this turn have left: one statement for each kind that there is.</summary>
    private void Settle(TurnBatch batch)
    {
        Add(ArchiveSuccessSql, _successes, NoteSettled)
            ?.With("now", TestNow).With("results", _successes.ConvertAll(one => one.Value.ToArray()).ToArray());
        Add(ArchiveFailureSql, _failures, NoteSettled)
            ?.With("now", TestNow).With("errors", _failures.ConvertAll(one => one.Error).ToArray());
        Add(RetrySql, _retries, NoteWaiting)
            ?.With("now", TestNow).With("delays", _retries.ConvertAll(one => one.Delay).ToArray())
            .With("errors", _retries.ConvertAll(one => one.Error).ToArray());
        if (_retries.Exists(one => one.Lease.Epoch > Defaults.AttemptsKept))
        {
            batch.Add(ForgetAttemptsSql, _ => { })
                .With("ids", _retries.ConvertAll(one => one.Lease.Id.Value).ToArray()).With("kept", Defaults.AttemptsKept);
        }

        Add(SnoozeSql, _snoozes, NoteWaiting)
            ?.With("now", TestNow).With("delays", _snoozes.ConvertAll(one => one.Delay).ToArray());
        Add(ReleaseSql, _releases, NoteWaiting);
        List<SettleOperation> cancels = [.. _cancels, .. _retries, .. _snoozes, .. _releases];
        Add(ArchiveCancelledSql, cancels, NoteSettled)
            ?.With("now", TestNow).With("errors", cancels.ConvertAll(one => one.Error).ToArray());
        AddDoubtful(batch, WasArchivedSql, [.. _successes, .. _failures, .. cancels]);
        AddDoubtful(batch, WasGivenUpSql, [.. _retries, .. _snoozes, .. _releases]);
        if (_releases.Count > 0 || _retries.Exists(one => one.Delay <= 0) || _snoozes.Exists(one => one.Delay <= 0))
        {
            _floorVersion++;
            NoteReady();
        }

        _wakeOwed |= _retries.Count + _snoozes.Count > 0;

        TurnBatch? Add<T>(string sql, List<T> operations, Action<NpgsqlDataReader> row)
            where T : SettleOperation =>
            operations.Count == 0 ? null : WithLeases(batch.Add(sql, row), operations.ConvertAll(one => one.Lease));
    }

    private static TurnBatch WithLeases(TurnBatch batch, List<TaskLease> leases) => batch
        .With("ids", leases.ConvertAll(lease => lease.Id.Value).ToArray())
        .With("owners", leases.ConvertAll(lease => lease.Owner.Value).ToArray())
        .With("epochs", leases.ConvertAll(lease => lease.Epoch).ToArray());

    /// <summary>A task that waits again is due, and may expire.</summary>
    private void NoteWaiting(NpgsqlDataReader row)
    {
        NoteSettled(row);
        NoteScheduled(row.GetInt64(2));
        _nextExpiry = row.IsDBNull(3) ? _nextExpiry : Math.Min(_nextExpiry, row.GetInt64(3));
    }

    private void NoteSettled(NpgsqlDataReader row) => _settled.Add((row.GetInt64(0), row.GetInt64(1)));

    // language=postgresql
    private const string WasArchivedSql = """
        select f.id, f.epoch
        from   errand.finished f
        join   unnest(@ids, @owners, @epochs) as s (id, owner, epoch) on f.id = s.id and f.owner = s.owner and f.epoch = s.epoch
        """;

    // language=postgresql
    private const string WasGivenUpSql = """
        select s.id, s.epoch
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  exists (select from errand.workers w where w.id = s.owner)
        and    not exists (select from errand.tasks t where t.id = s.id and t.owner + 0 = s.owner and t.epoch = s.epoch and t.state + 0 = 12)
        """;

    /// <summary>
    /// Whether a settlement that finds nothing to settle was committed before, by a turn whose answer was lost. It was when the
    /// task was archived by this owner and epoch. A retry or release was, whatever became of the task, while the owner stands: who
    /// takes a task from an owner takes the owner away first.
    /// </summary>
    private void AddDoubtful(TurnBatch batch, string sql, List<SettleOperation> operations)
    {
        var doubtful = operations.Where(one => one.MayBeDone).Select(one => one.Lease).ToList();
        if (doubtful.Count > 0)
        {
            WithLeases(batch.Add(sql, NoteSettled), doubtful);
        }
    }

    private abstract class SettleOperation(PostgresBackend backend, TaskLease lease) : Operation<bool>
    {
        private bool _isFirst; // Of this turn with its lease.

        internal TaskLease Lease => lease;

        /// <summary>What is kept with the end of the attempt, in UTF-8; null for nothing.</summary>
        internal virtual byte[]? Error => null;

        internal override long? Task => lease.Id.Value;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            _isFirst = backend._settling.Add(lease);
            if (_isFirst)
            {
                Join();
            }
        }

        internal override void Complete()
        {
            Result = _isFirst && backend._settled.Contains((lease.Id.Value, lease.Epoch));
            base.Complete();
        }

        protected abstract void Join();
    }

    private sealed class MarkSuccessOperation(PostgresBackend backend, TaskLease lease, ReadOnlyMemory<byte> result)
        : SettleOperation(backend, lease)
    {
        private readonly PostgresBackend _backend = backend;

        internal ReadOnlyMemory<byte> Value => result;

        protected override void Join()
        {
            _backend._successes.Add(this);
            _backend.NoteEnded(Lease.Id.Value);
        }
    }

    private sealed class MarkFailureOperation(PostgresBackend backend, TaskLease lease, string error, TimeSpan? retryAfter)
        : SettleOperation(backend, lease)
    {
        private readonly PostgresBackend _backend = backend;

        internal override byte[] Error => System.Text.Encoding.UTF8.GetBytes(error);

        internal long Delay => Milliseconds(retryAfter).GetValueOrDefault();

        protected override void Join()
        {
            if (retryAfter is not null)
            {
                _backend._retries.Add(this);
                _backend.NoteEnded(Lease.Id.Value); // If it was to be cancelled.
                return;
            }

            _backend._failures.Add(this);
            _backend.NoteEnded(Lease.Id.Value);
        }
    }

    private sealed class ReleaseOperation(PostgresBackend backend, TaskLease lease) : SettleOperation(backend, lease)
    {
        private readonly PostgresBackend _backend = backend;

        protected override void Join()
        {
            _backend._releases.Add(this);
            _backend.NoteEnded(Lease.Id.Value); // If it was to be cancelled.
        }
    }

    private sealed class SnoozeOperation(PostgresBackend backend, TaskLease lease, TimeSpan delay) : SettleOperation(backend, lease)
    {
        private readonly PostgresBackend _backend = backend;

        internal long Delay => (long)Math.Ceiling(delay.TotalMilliseconds);

        protected override void Join()
        {
            _backend._snoozes.Add(this);
            _backend.NoteEnded(Lease.Id.Value); // If it was to be cancelled.
        }
    }

    private sealed class MarkCancelledOperation(PostgresBackend backend, TaskLease lease, string? reason) : SettleOperation(backend, lease)
    {
        private readonly PostgresBackend _backend = backend;

        internal override byte[]? Error => reason is null ? null : System.Text.Encoding.UTF8.GetBytes(reason);

        protected override void Join()
        {
            _backend._cancels.Add(this);
            _backend.NoteEnded(Lease.Id.Value);
        }
    }
}
