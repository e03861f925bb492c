using Npgsql;

namespace Errand.PostgreSql.Settle;

/// <summary>
/// The settlements of one turn: every statement is fenced by id, owner and epoch, and settles all of its kind.
/// </summary>
internal sealed class SettleRows(Settling settling) : TurnRows(TurnStage.Settle)
{
    private readonly List<SettleRow>?[] _rows = new List<SettleRow>?[Enum.GetValues<SettleKind>().Length];
    private readonly HashSet<TaskLease> _leases = []; // A lease settles once.
    private readonly HashSet<(long Id, long Epoch)> _settled = [];
    private List<TaskLease>? _mayBeArchived; // By a turn whose answer was lost.
    private List<TaskLease>? _mayBeGivenUp;

    /// <returns>False when the lease is among them already.</returns>
    internal bool Add(SettleKind kind, SettleRow row, bool mayBeDone)
    {
        if (!_leases.Add(row.Lease))
        {
            return false;
        }

        (_rows[(int)kind] ??= []).Add(row);
        if (mayBeDone)
        {
            (_mayBeArchived ??= []).Add(row.Lease);
            if (kind is SettleKind.Retry or SettleKind.Snooze or SettleKind.Release)
            {
                (_mayBeGivenUp ??= []).Add(row.Lease);
            }
        }

        return true;
    }

    /// <summary>Whether the statements have settled it, after they have run.</summary>
    internal bool IsSettled(TaskLease lease) => _settled.Contains((lease.Id, lease.Epoch));

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
    private const string ArchiveFailureSql = $"""
        with settled as (
            {Turn.DeleteTasks} t
            using  unnest(@ids, @owners, @epochs, @errors) as s (id, owner, epoch, error)
            where  {Turn.Fence}
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name,
                s.error, t.timeout, t.max_attempts, t.retry, t.unique_key, t.payload
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error, timeout,
            max_attempts, retry, unique_key, payload)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name,
               21, error, timeout,
               max_attempts, retry, unique_key, payload
        from   settled
        returning id, epoch
        """;

    // A task with a pending cancel request is not retried. language=postgresql
    private const string RetrySql = $"""
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
    private const string SnoozeSql = $"""
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
    private const string ReleaseSql = $"""
        update errand.errand_tasks t
        set    state = 10, owner = 0, attempt = t.attempt - 1
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  {Turn.Fence}
        and    t.cancelled is null
        returning t.id, t.epoch, t.due, t.expires
        """;

    // Comes after the others: a task that they made wait again is not running any more. language=postgresql
    private const string ArchiveCancelledSql = $"""
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

    internal override void Write(Turn turn)
    {
        _settled.EnsureCapacity(_leases.Count);
        if (RowsOf(SettleKind.Success) is { } successes)
        {
            Now(WithLeases(turn.End(ArchiveSuccessSql, NoteSettled), successes)).With("results", Values(successes));
        }

        if (RowsOf(SettleKind.Failure) is { } failures)
        {
            Now(WithLeases(turn.End(ArchiveFailureSql, NoteSettled), failures)).With("errors", Values(failures));
        }

        if (RowsOf(SettleKind.Retry) is { } retries)
        {
            Now(WithLeases(turn.WaitAgain(RetrySql, row => NoteWaiting(turn, row)), retries))
                .With("delays", Delays(retries)).With("errors", Values(retries));
            Attempts.Forget(turn, retries);
        }

        if (RowsOf(SettleKind.Snooze) is { } snoozes)
        {
            Now(WithLeases(turn.WaitAgain(SnoozeSql, row => NoteWaiting(turn, row)), snoozes))
                .With("delays", Delays(snoozes));
        }

        if (RowsOf(SettleKind.Release) is { } releases)
        {
            WithLeases(turn.WaitAgain(ReleaseSql, row => NoteWaiting(turn, row)), releases);
        }

        Cancel(turn);
        AddDoubtful(turn);
        Wake(turn);
        turn.Effects.AfterCommit(() => settling.Vacuum.NoteDeadRows(_settled.Count));
    }

    private List<SettleRow>? RowsOf(SettleKind kind) => _rows[(int)kind];

    private TurnBatch Now(TurnBatch batch) => batch.With("now", settling.Clock.TestNow);

    /// <summary>
    /// Ends as cancelled what its worker says so of, and what was to wait again but had a cancel request.
    /// </summary>
    private void Cancel(Turn turn)
    {
        List<SettleRow> cancels = [];
        foreach (var kind in (ReadOnlySpan<SettleKind>)
            [SettleKind.Cancel, SettleKind.Retry, SettleKind.Snooze, SettleKind.Release])
        {
            cancels.AddRange(RowsOf(kind) ?? []);
        }

        if (cancels.Count > 0)
        {
            Now(WithLeases(turn.End(ArchiveCancelledSql, NoteSettled), cancels)).With("errors", Values(cancels));
        }
    }

    /// <summary>Tasks that wait again may be ready, for workers here and elsewhere.</summary>
    private void Wake(Turn turn)
    {
        var retries = RowsOf(SettleKind.Retry);
        var snoozes = RowsOf(SettleKind.Snooze);
        if (RowsOf(SettleKind.Release) is not null || retries?.Exists(IsAtOnce) == true
            || snoozes?.Exists(IsAtOnce) == true)
        {
            turn.Ready();
        }
        else if (retries is not null || snoozes is not null)
        {
            turn.Effects.WakeOthers();
        }

        static bool IsAtOnce(SettleRow row) => row.Delay <= 0;
    }

    /// <summary>A task that waits again is due, and may expire.</summary>
    private void NoteWaiting(Turn turn, NpgsqlDataReader row)
    {
        NoteSettled(row);
        if (!row.IsDBNull(3))
        {
            turn.Effects.Expect(settling.Expiry, row.GetInt64(3));
        }
    }

    private void NoteSettled(NpgsqlDataReader row) => _settled.Add((row.GetInt64(0), row.GetInt64(1)));

    // language=postgresql
    private const string WasArchivedSql = """
        select f.id, f.epoch
        from   errand.errand_finished f
        join   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
               on f.id = s.id and f.owner = s.owner and f.epoch = s.epoch
        """;

    // language=postgresql
    private const string WasGivenUpSql = """
        select s.id, s.epoch
        from   unnest(@ids, @owners, @epochs) as s (id, owner, epoch)
        where  exists (select from errand.errand_workers w where w.id = s.owner)
        and    not exists (
            select
            from   errand.errand_tasks t
            where  t.id = s.id and t.owner + 0 = s.owner and t.epoch = s.epoch and t.state + 0 = 12)
        """;

    /// <summary>
    /// Whether a settlement that finds nothing to settle was committed earlier, by a turn whose answer was lost. It was
    /// if this owner and epoch archived the task. A retry or release was, whatever became of the task, while the owner
    /// stands: a task is taken from its owner only after the owner's row is gone.
    /// </summary>
    private void AddDoubtful(Turn turn)
    {
        if (_mayBeArchived is { } archived)
        {
            // Whoever waits for its result has not been told.
            WithLeases(turn.End(WasArchivedSql, NoteSettled), archived);
        }

        if (_mayBeGivenUp is { } givenUp)
        {
            WithLeases(turn.Add(WasGivenUpSql, NoteSettled), givenUp);
        }
    }

    private static TurnBatch WithLeases(TurnBatch batch, List<SettleRow> rows) => batch
        .With("ids", Column(rows, static row => row.Lease.Id))
        .With("owners", Column(rows, static row => row.Lease.Owner))
        .With("epochs", Column(rows, static row => row.Lease.Epoch));

    private static TurnBatch WithLeases(TurnBatch batch, List<TaskLease> leases) => batch
        .With("ids", Column(leases, static lease => lease.Id))
        .With("owners", Column(leases, static lease => lease.Owner))
        .With("epochs", Column(leases, static lease => lease.Epoch));

    private static byte[]?[] Values(List<SettleRow> rows) => Column(rows, static row => row.Value);

    private static long[] Delays(List<SettleRow> rows) => Column(rows, static row => row.Delay);

    private static TValue[] Column<TRow, TValue>(List<TRow> rows, Func<TRow, TValue> value)
    {
        var column = new TValue[rows.Count];
        for (var i = 0; i < column.Length; i++)
        {
            column[i] = value(rows[i]);
        }

        return column;
    }
}
