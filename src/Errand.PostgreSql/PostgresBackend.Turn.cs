using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;
using Npgsql;
using Telemetry = Errand.Diagnostics.Telemetry;

namespace Errand.PostgreSql;

/// <summary>The turn loop: what it waits for, and what it does in one turn.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>Rows of one part of a turn; what comes later has the next.</summary>
    private const int RowsInTurn = 1_000;

    // From here on, every field is the turn loop's alone.
    private readonly List<Operation> _arrived = [];
    private readonly List<Operation>[] _parts = [[], [], [], []];
    private readonly List<Action> _reports = []; // What is logged of this turn, once it has been committed.
    private readonly InternedNames _names = new();
    private readonly TaskIds _ids = new();
    private NpgsqlConnection? _connection;
    private ITimer? _alarm;
    private bool _isClosing;
    private long _turn; // Counts transactions: what an answer that was lost has started is found by it.

    private NpgsqlConnection Connection => _connection ?? throw new InvalidOperationException("The turn has not connected.");

    private async Task TakeTurnsAsync()
    {
        while (!_isClosing)
        {
            _arrived.Clear();
            try
            {
                await TakeArrivedAsync(TimeToWait()).ConfigureAwait(false);
                await TakeTurnAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // A fault of ours. No caller may wait for ever because of it, and the loop must live on.
                await FailAllAsync(new BackendException($"{_store.Name}: a turn failed, which is a fault in Errand.", false, e))
                    .ConfigureAwait(false);
                await CloseConnectionAsync().ConfigureAwait(false);
                Log.TurnFault(_logger, e);
            }
        }

        await CloseTurnsAsync().ConfigureAwait(false);
    }

    private async Task TakeArrivedAsync(TimeSpan wait)
    {
        if (wait != TimeSpan.Zero)
        {
            SetAlarm(wait);
            await _inbox.Reader.WaitToReadAsync().ConfigureAwait(false);
        }

        // Who was told of the last turn goes first: what he asks next comes into this one, and a worker waits for what is enqueued.
        await Task.Yield();
        var rows = 0;
        while (rows < RowsInTurn && _inbox.Reader.TryRead(out var operation))
        {
            _arrived.Add(operation);
            rows += operation.Rows;
        }
    }

    /// <summary>When it rings, a note comes into the inbox.</summary>
    private void SetAlarm(TimeSpan wait)
    {
        _alarm ??= _time.CreateTimer(
            static backend => ((PostgresBackend)backend!)._inbox.Writer.TryWrite(Bell.Rung), this, Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        _alarm.Change(wait, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// One turn: everything that has arrived, in one transaction. When that fails, each operation alone, so that none suffers
    /// for another.
    /// </summary>
    private async Task TakeTurnAsync()
    {
        Sort();
        _upkeepFailed = false;
        var settles = Part(TurnPart.Settle);
        var enqueues = Part(TurnPart.Enqueue);
        RunNotes();
        if (_isClosing && settles.Count + enqueues.Count + Part(TurnPart.Read).Count == 0)
        {
            return;
        }

        try
        {
            await ConnectAsync().ConfigureAwait(false);
            await TakeHeldAsync(settles, enqueues).ConfigureAwait(false);
            AddUpkeep(settles);
            await PrepareAsync().ConfigureAwait(false);
        }
        catch (BackendException e)
        {
            await FailAllAsync(e).ConfigureAwait(false);
            return;
        }

        try
        {
            await TransactSurelyAsync(settles, enqueues, fill: true).ConfigureAwait(false);
        }
        catch (BackendException e) when (_awaySince is not null || PostgresErrors.IsTimeout(e))
        {
            await FailAllAsync(e).ConfigureAwait(false); // The server stays away: each alone would only wait as long again.
            return;
        }
        catch (BackendException)
        {
            await EachAloneAsync([.. settles, .. enqueues]).ConfigureAwait(false);
            await FillAloneAsync().ConfigureAwait(false);
        }

        await ReadAsync(Part(TurnPart.Read)).ConfigureAwait(false);
        await FinishUpkeepAsync().ConfigureAwait(false);
    }

    private List<Operation> Part(TurnPart part) => _parts[(int)part];

    private void Sort()
    {
        foreach (var part in _parts)
        {
            part.Clear();
        }

        foreach (var operation in _arrived)
        {
            Part(operation.Part).Add(operation);
        }
    }

    private void RunNotes()
    {
        foreach (var note in Part(TurnPart.Note))
        {
            note.Run(null!);
        }
    }

    /// <summary>
    /// One transaction, sent in one round trip: what a lost answer has started is given back, then settle, promote, enqueue, and
    /// reserve for who waits.
    /// </summary>
    private async Task TransactAsync(List<Operation> settles, List<Operation> enqueues, bool fill)
    {
        var batch = new TurnBatch(Connection, _store);
        await using (batch.ConfigureAwait(false))
        {
            try
            {
                _turn++;
                BeginParts();
                ReleaseUndelivered(batch);
                RunAll(settles, batch);
                Settle(batch);
                Promote(batch);
                RunAll(enqueues, batch);
                Insert(batch);
                if (fill)
                {
                    Fill(batch);
                }

                LimitWait(batch);
                await batch.RunAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                await AfterFailureAsync(e, settles, enqueues).ConfigureAwait(false);
                throw;
            }
        }

        if (settles.Count + enqueues.Count > 0)
        {
            Telemetry.TurnSize.Record(settles.Count + enqueues.Count);
        }

        NoteCommitted();
        DeliverReserved(); // First: a worker that waits again in time for the next turn has new tasks handed to it.
        CompleteAll(settles);
        CompleteAll(enqueues);
        WakeStrangers();
        await TellWaitersAsync().ConfigureAwait(false);
    }

    /// <summary>Before the statements of a transaction are made.</summary>
    private void BeginParts()
    {
        _newRows.Clear();
        _knownRows.Clear();
        _inserted.Clear();
        _uniqueRows.Clear();
        _uniqueIds.Clear();
        _holders.Clear();
        _successes.Clear();
        _failures.Clear();
        _retries.Clear();
        _snoozes.Clear();
        _releases.Clear();
        _cancels.Clear();
        _settling.Clear();
        _settled.Clear();
        _afterCommit.Clear();
        _pendingInTurn = false;
        _left.Clear();
    }

    /// <summary>After the commit.</summary>
    private void NoteCommitted()
    {
        foreach (var after in _afterCommit)
        {
            after();
        }

        _undelivered.RemoveAll(_released.Contains);
        _settledSinceVacuum += _settled.Count;
    }

    private async Task EachAloneAsync(List<Operation> operations)
    {
        var began = TimeProvider.System.GetTimestamp();
        BackendException? heldUp = null;
        foreach (var operation in operations)
        {
            if (heldUp is not null && TimeProvider.System.GetElapsedTime(began) >= _options.BusyTimeout)
            {
                operation.Fail(heldUp); // It is not about one of them: nobody gets on.
                continue;
            }

            try
            {
                await ConnectAsync().ConfigureAwait(false);
                await TransactSurelyAsync(
                    operation.Part == TurnPart.Settle ? [operation] : [],
                    operation.Part == TurnPart.Settle ? [] : [operation],
                    fill: false).ConfigureAwait(false);
            }
            catch (BackendException e)
            {
                heldUp = PostgresErrors.IsHeldUp(e) || PostgresErrors.IsTimeout(e) ? e : heldUp;
                operation.Fail(e);
            }
        }
    }

    private async Task FillAloneAsync()
    {
        try
        {
            await ConnectAsync().ConfigureAwait(false);
            await TransactSurelyAsync([], [], fill: true).ConfigureAwait(false);
        }
        catch (BackendException e)
        {
            FailWaiting(e);
        }
    }

    private static void RunAll(List<Operation> operations, TurnBatch batch)
    {
        foreach (var operation in operations)
        {
            operation.Run(batch);
        }
    }

    private static void CompleteAll(List<Operation> operations)
    {
        foreach (var operation in operations)
        {
            operation.Complete();
        }
    }

    private async Task FailAllAsync(BackendException exception)
    {
        foreach (var operation in _arrived)
        {
            operation.Fail(exception);
        }

        FailHeld(exception);
        FailWaiting(exception);
        await ReplaceConnectionAsync(exception).ConfigureAwait(false);
    }

    private async Task CloseTurnsAsync()
    {
        _inbox.Writer.TryComplete();
        var disposed = new ObjectDisposedException(nameof(PostgresBackend));
        while (_inbox.Reader.TryRead(out var operation))
        {
            operation.Fail(disposed);
        }

        FailHeld(disposed);
        EndWaits(disposed);
        if (_alarm is { } alarm)
        {
            await alarm.DisposeAsync().ConfigureAwait(false);
        }

        await CloseStrangersAsync().ConfigureAwait(false);
        await CloseVacuumAsync().ConfigureAwait(false);
        await CloseConnectionAsync().ConfigureAwait(false);
    }

    /// <summary>The time has come to look at something.</summary>
    private sealed class Bell : Note
    {
        internal static Bell Rung { get; } = new();

        internal override int Rows => 0;

        internal override void Run(TurnBatch batch)
        {
        }
    }
}
