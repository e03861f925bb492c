using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql.Engine;

/// <summary>
/// The one that writes: it takes what callers leave in the inbox, and carries it out turn by turn, each in one round
/// trip and one transaction. Its task is the only one that uses the session.
/// </summary>
internal sealed class Writer : TurnLoop<Turn>
{
    /// <summary>Rows of one turn; what comes later waits for the next.</summary>
    private const int RowsInTurn = 1_000;

    /// <summary>
    /// Bytes of payloads and results in one turn, after which the rest waits for the next: everybody waits for the turn.
    /// </summary>
    private const long BytesInTurn = 16 * 1024 * 1024;

    private readonly PostgresStore _store;
    private readonly PostgresBackendOptions _options;
    private readonly StoreClock _clock;
    private readonly Inbox _inbox;
    private readonly Sessions _sessions;
    private readonly SchemaWatch _schema;
    private readonly Neighbours _neighbours;
    private readonly HeldTasks _held;
    private readonly Results _results;
    private readonly ILogger _logger;
    // Cancelled once, by dispose: ends waits for a server that is away.
    private readonly CancellationTokenSource _closing;
    private readonly Lock _startLock = new();
    private Task? _turns; // Started once, under the lock.
    private Task? _disposal; // Set once, under the lock.

    // From here on, every field is the loop's alone.
    private readonly Preparation _preparation;
    private readonly DoubleIds _doubles;
    private readonly Agenda _agenda;
    private ITimer? _alarm;
    private Turn? _reader; // For as long as its session is the current one.
    private string _mark = ""; // Of the store that operations have their ids from.
    private long _turn; // Counts transactions.

    internal Writer(
        PostgresStore store, PostgresBackendOptions options, StoreClock clock, Inbox inbox, Sessions sessions,
        PartList<Turn> parts, SchemaWatch schema, Neighbours neighbours, HeldTasks held, Results results,
        ILogger logger, CancellationTokenSource closing)
        : base(parts)
    {
        _store = store;
        _options = options;
        _clock = clock;
        _inbox = inbox;
        _sessions = sessions;
        _schema = schema;
        _neighbours = neighbours;
        _held = held;
        _results = results;
        _logger = logger;
        _closing = closing;
        _preparation = new Preparation(sessions);
        _doubles = new DoubleIds(store, sessions, logger);
        _agenda = new Agenda(options.TimeProvider);
        sessions.OnOpened(NoteOpened);
        inbox.ServeBy(Start);
    }

    internal bool IsDisposed => _disposal is not null;

    protected override long Now => _clock.Now;

    protected override bool IsOpen => _sessions.Current is not null;

    protected override TimeSpan BusyTimeout => _options.BusyTimeout;

    protected override Turn? Reader
    {
        get
        {
            if (_sessions.Current is not { } session)
            {
                return null;
            }

            return _reader?.Session == session
                ? _reader
                : _reader = new Turn(session, new TurnBatch(session.Connection, _store), Parts, number: 0);
        }
    }

    /// <summary>
    /// Carries out what was submitted, ends every wait, and closes the connections of the parts. Idempotent.
    /// </summary>
    internal Task CloseAsync()
    {
        lock (_startLock)
        {
            return _disposal ??= CloseOnceAsync();
        }
    }

    private async Task CloseOnceAsync()
    {
        if (_turns is { } turns)
        {
            _inbox.TryAdd(new CloseNote(this));
            await _closing.CancelAsync().ConfigureAwait(false);
            await turns.ConfigureAwait(false);
        }

        _inbox.Close();
    }

    private void Start()
    {
        if (_turns is not null)
        {
            return;
        }

        lock (_startLock)
        {
            if (_disposal is not null)
            {
                throw Inbox.Disposed();
            }

            _turns ??= Task.Run(TakeTurnsAsync);
        }
    }

    private async Task TakeTurnsAsync()
    {
        while (!IsClosing)
        {
            Arrived.Clear();
            try
            {
                await TakeArrivedAsync(TimeToWait(_agenda)).ConfigureAwait(false);
                await TakeTurnAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // A fault of ours. No caller may wait forever because of it, and the loop must live on.
                try
                {
                    await FailAllAsync(Fault(e)).ConfigureAwait(false);
                    await _sessions.CloseAsync().ConfigureAwait(false);
                }
                catch (Exception again)
                {
                    Log.TurnFault(_logger, again); // The loop must live on all the same.
                }
            }
        }

        try
        {
            await CloseTurnsAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A dispose ends, whatever a connection or a file meets.
            Log.CloseFailed(_logger, _store.Name, e);
        }
    }

    private async Task TakeArrivedAsync(TimeSpan wait)
    {
        if (wait != TimeSpan.Zero)
        {
            SetAlarm(wait);
            await _inbox.WaitAsync().ConfigureAwait(false);
        }

        // Yield, so that callers completed by the last turn can submit their next operation into this one.
        await Task.Yield();
        var rows = 0;
        var bytes = 0L;
        while (rows < RowsInTurn && bytes < BytesInTurn && _inbox.TryTake(out var operation))
        {
            Arrived.Add(operation);
            rows += operation.Rows;
            bytes += operation.Bytes;
        }
    }

    /// <summary>When it rings, a note comes into the inbox.</summary>
    private void SetAlarm(TimeSpan wait)
    {
        _alarm ??= _options.TimeProvider.CreateTimer(
            static inbox => ((Inbox)inbox!).TryAdd(Bell.Rung), _inbox, Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        _alarm.Change(wait, Timeout.InfiniteTimeSpan);
    }

    protected override async ValueTask OpenAsync()
    {
        await _sessions.OpenAsync().ConfigureAwait(false);
        if (_neighbours.IsLookDue)
        {
            Parts.Doubt(Doubt.Polled);
        }
    }

    /// <summary>A session was opened, by whatever needed one.</summary>
    private void NoteOpened(Session session)
    {
        // Another process may have been given the same ids, if the server is a promoted standby that had not heard of them.
        // Where a commit was tried, the id is kept, and the operation looks for its own task.
        var isOther = _mark != session.Mark.Store;
        foreach (var operation in Arrived.Concat(_held.Operations).Where(one => isOther || !one.MayBeDone))
        {
            (operation as IUsesIds)?.ForgetIds();
        }

        if (isOther)
        {
            _mark = session.Mark.Store; // Another store is there now, if it is not the first.
            if (session.IsPooled)
            {
                Log.Pooled(_logger, _store.Name);
            }
        }

        _schema.Saw(session.Mark);
        Parts.Doubt(Doubt.Opened);
    }

    protected override async ValueTask PrepareAsync(List<Operation<Turn>> settles, List<Operation<Turn>> enqueues)
    {
        await _schema.LookWhenDueAsync(_sessions).ConfigureAwait(false);
        await _held.TakeBackAsync(settles, enqueues, Arrived).ConfigureAwait(false);
        await _preparation.PrepareAsync(Arrived).ConfigureAwait(false);
    }

    /// <remarks>An id that was not tried to be committed may be what failed: another task may have it.</remarks>
    protected override async ValueTask PrepareAloneAsync(Operation<Turn> operation)
    {
        if (!operation.MayBeDone)
        {
            (operation as IUsesIds)?.ForgetIds();
        }

        await _preparation.PrepareAsync([operation]).ConfigureAwait(false);
    }

    /// <summary>
    /// Runs a transaction until its outcome is known: when the answer is lost, it is redone on a new connection, and
    /// each operation finds out whether it was done before. What an open transaction of somebody else's holds is put
    /// aside.
    /// </summary>
    /// <exception cref="BackendException">None of it was done; or the server stays away, and nobody knows.</exception>
    protected override async Task TransactAsync(
        List<Operation<Turn>> settles, List<Operation<Turn>> enqueues, bool fill)
    {
        var began = TimeProvider.System.GetTimestamp();
        for (var redos = 0; ; redos++)
        {
            try
            {
                await base.TransactAsync(settles, enqueues, fill).ConfigureAwait(false);
                return;
            }
            catch (BackendException e)
                when (PostgresErrors.IsHeldUp(e) && TimeProvider.System.GetElapsedTime(began) < _options.BusyTimeout)
            {
                redos--; // Waiting is no failure.
                await _held.PutAsideAsync(settles, enqueues, Arrived).ConfigureAwait(false);
                await _preparation.PrepareAsync(Arrived).ConfigureAwait(false);
            }
            catch (BackendException e) when (redos < Sessions.Redos && DoubleIds.HasMetFinished(e))
            {
                await _doubles.MoveAsync().ConfigureAwait(false);
                await _preparation.PrepareAsync(Arrived).ConfigureAwait(false);
            }
            catch (BackendException e) when (redos < Sessions.Redos && DoubleIds.HasMetLive(e))
            {
                await _doubles.SkipAsync(enqueues).ConfigureAwait(false);
                await _preparation.PrepareAsync(Arrived).ConfigureAwait(false);
            }
            catch (BackendException e)
                when (redos < Sessions.Redos && (PostgresErrors.LostConnection(e) || PostgresErrors.IsConflict(e)))
            {
                // The second time that nobody answers is the last.
                redos = PostgresErrors.IsTimeout(e) ? Sessions.Redos : redos;
                // On a new connection, no name has a number yet.
                await _preparation.PrepareAsync(Arrived).ConfigureAwait(false);
            }
        }
    }

    protected override async ValueTask<Turn> BeginAsync()
    {
        var session = await _sessions.OpenAsync().ConfigureAwait(false);
        _schema.CheckWritable();
        return new Turn(session, new TurnBatch(session.Connection, _store), Parts, ++_turn, _schema.Outdated);
    }

    protected override async ValueTask CommitAsync(Turn turn)
    {
        HeldTasks.LimitWait(turn);
        await turn.Batch.RunAsync().ConfigureAwait(false);
        await turn.Batch.DisposeAsync().ConfigureAwait(false);
    }

    protected override async ValueTask<bool> RollBackAsync(Turn turn, Exception exception)
    {
        await turn.Batch.DisposeAsync().ConfigureAwait(false);
        return await _sessions.NoteFailureAsync(exception).ConfigureAwait(false);
    }

    /// <summary>While the server stays away, each operation alone would only wait as long again.</summary>
    protected override bool ConcernsAll(BackendException exception) =>
        _sessions.IsAway || PostgresErrors.IsTimeout(exception);

    protected override bool IsHeldUp(BackendException exception) =>
        PostgresErrors.IsHeldUp(exception) || PostgresErrors.IsTimeout(exception);

    /// <summary>Nothing to do: a session is dropped where its failure is met, and another may be open by now.</summary>
    protected override ValueTask AfterFailureAsync(Exception exception) => default;

    protected override async Task FailAllAsync(BackendException exception)
    {
        await base.FailAllAsync(exception).ConfigureAwait(false);
        _held.FailAll(exception);
    }

    protected override async ValueTask ReadAsync(List<Operation<Turn>> reads)
    {
        try
        {
            await OpenAsync().ConfigureAwait(false);
            if (Reader is { } open)
            {
                await _results.LookAsync(open, reads).ConfigureAwait(false);
            }

            await _sessions.RunAloneAsync((session, batch) =>
            {
                var reader = new Turn(session, batch, Parts, number: 0);
                reads.ForEach(read => read.Run(reader));
            }).ConfigureAwait(false);
        }
        catch (BackendException e)
        {
            reads.ForEach(read => read.Fail(e));
            return;
        }

        CompleteAll(reads);
    }

    protected override void ReportOutdated(SchemaTooNewException exception) =>
        Log.Outdated(_logger, _store.Name, _sessions.Current?.Mark.Version ?? 0);

    protected override void ReportUpkeepFailed(Exception exception) =>
        Log.UpkeepFailed(_logger, _store.Name, exception);

    protected override BackendException Fault(Exception exception)
    {
        Log.TurnFault(_logger, exception);
        return new BackendException($"{_store.Name}: a turn failed, which is a fault in Errand.", false, exception);
    }

    private async Task CloseTurnsAsync()
    {
        _inbox.Close();
        var disposed = Inbox.Disposed();
        while (_inbox.TryTake(out var operation))
        {
            operation.Fail(disposed);
        }

        CloseParts(disposed);
        if (_alarm is { } alarm)
        {
            await alarm.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var part in Parts.All.OfType<IAsyncDisposable>())
        {
            await part.DisposeAsync().ConfigureAwait(false);
        }

        await _sessions.CloseAsync().ConfigureAwait(false);
    }

    /// <summary>Tells the writer that this turn is its last.</summary>
    private sealed class CloseNote(Writer writer) : Note<Turn>
    {
        internal override void Hear() => writer.IsClosing = true;
    }

    /// <summary>The time has come to look at something.</summary>
    private sealed class Bell : Note<Turn>
    {
        internal static Bell Rung { get; } = new();
    }
}
