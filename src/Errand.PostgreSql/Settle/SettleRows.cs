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
    private List<(TaskLease Lease, int State)>? _mayBeArchived; // By a turn whose answer was lost; in this state, 0 for any.
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
            (_mayBeArchived ??= []).Add((row.Lease, StateAfter(kind)));
            if (kind is SettleKind.Retry or SettleKind.Snooze or SettleKind.Release)
            {
                (_mayBeGivenUp ??= []).Add(row.Lease);
            }
        }

        return true;
    }

    /// <summary>Whether the statements have settled it, after they have run.</summary>
    internal bool IsSettled(TaskLease lease) => _settled.Contains((lease.Id.Value, lease.Epoch));

    internal override void Write(Turn turn)
    {
        _settled.EnsureCapacity(_leases.Count);
        if (RowsOf(SettleKind.Success) is { } successes)
        {
            Now(WithLeases(turn.End(Settling.ArchiveSuccessSql, NoteSettled), successes))
                .With("results", Values(successes));
        }

        if (RowsOf(SettleKind.Failure) is { } failures)
        {
            Now(WithLeases(turn.End(Settling.ArchiveFailureSql, NoteSettled), failures))
                .With("errors", Values(failures));
        }

        if (RowsOf(SettleKind.Retry) is { } retries)
        {
            Now(WithLeases(turn.WaitAgain(Settling.RetrySql, row => NoteWaiting(turn, row)), retries))
                .With("delays", Delays(retries)).With("errors", Values(retries));
            Attempts.Forget(turn, retries);
        }

        if (RowsOf(SettleKind.Snooze) is { } snoozes)
        {
            Now(WithLeases(turn.WaitAgain(Settling.SnoozeSql, row => NoteWaiting(turn, row)), snoozes))
                .With("delays", Delays(snoozes));
        }

        if (RowsOf(SettleKind.Release) is { } releases)
        {
            WithLeases(turn.WaitAgain(Settling.ReleaseSql, row => NoteWaiting(turn, row)), releases);
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
            Now(WithLeases(turn.End(Cancellation.ArchiveCancelledSql, NoteSettled), cancels))
                .With("errors", Values(cancels));
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

    /// <summary>
    /// Whether a settlement that finds nothing to settle was committed earlier, by a turn whose answer was lost. It was
    /// if this owner and epoch archived the task in the state that it asked for: whoever sweeps a lost worker's tasks ends those that are to
    /// be cancelled under the same owner and epoch. A retry or release was, whatever became of the task, while the owner
    /// stands: a task is taken from its owner only after the owner's row is gone.
    /// </summary>
    private void AddDoubtful(Turn turn)
    {
        if (_mayBeArchived is { } archived)
        {
            // Whoever waits for its result has not been told.
            WithLeases(turn.End(Settling.WasArchivedSql, NoteSettled), archived.ConvertAll(one => one.Lease))
                .With("states", Column(archived, static one => one.State));
        }

        if (_mayBeGivenUp is { } givenUp)
        {
            WithLeases(turn.Add(Settling.WasGivenUpSql, NoteSettled), givenUp);
        }
    }

    /// <summary>The state in which a task ends by a settlement; 0 if it is to live on, and may end in any.</summary>
    private static int StateAfter(SettleKind kind) => kind switch
    {
        SettleKind.Success => (int)TaskState.Succeeded,
        SettleKind.Failure => (int)TaskState.Failed,
        SettleKind.Cancel => (int)TaskState.Cancelled,
        _ => 0,
    };

    private static TurnBatch WithLeases(TurnBatch batch, List<SettleRow> rows) => batch
        .With("ids", Column(rows, static row => row.Lease.Id.Value))
        .With("owners", Column(rows, static row => row.Lease.Owner.Value))
        .With("epochs", Column(rows, static row => row.Lease.Epoch));

    private static TurnBatch WithLeases(TurnBatch batch, List<TaskLease> leases) => batch
        .With("ids", Column(leases, static lease => lease.Id.Value))
        .With("owners", Column(leases, static lease => lease.Owner.Value))
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
