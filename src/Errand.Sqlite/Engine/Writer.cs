using Microsoft.Extensions.Logging;
using Quietly = Errand.Diagnostics.Quietly;

namespace Errand.Sqlite.Engine;

/// <summary>
/// The one that writes: it takes what callers leave in the inbox, and carries it out turn by turn on a thread of its
/// own. A caller that is alone takes the turn itself; nobody else uses the session
/// (docs/decisions/0010-a-lone-caller-takes-the-turn.md).
/// </summary>
internal sealed class Writer : TurnLoop<Turn>, IAsyncDisposable
{
    private readonly SqliteStore _store;
    private readonly SqliteBackendOptions _options;
    private readonly WriteAheadLog _log;
    private readonly SpareIds _spareIds;
    private readonly Results _results;
    private readonly Reserving _reserving;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly Inbox _inbox;
    private readonly Lock _startLock = new();
    private Thread? _thread; // Started once, under the lock; joined by dispose.
    private Task? _disposal; // Set once, under the lock.

    private readonly long _slack; // How exactly two plans for one time agree, in timestamps: some are in whole ms of a clock that moves.
    private readonly Lock _turns = new(); // Held by whoever takes a turn: the thread, or a caller that is alone.
    private volatile bool _isCalm; // Hint: the last turn had one operation at most, so that the next caller may be alone.

    // From here on, every field belongs to the one who takes the turn.
    private readonly Agenda _agenda;
    private long _wakesAt = long.MaxValue; // When the thread wakes by itself: a timestamp of the store's clock.
    private bool _isAlone; // The turn is taken by a caller, who does not wait for others that write.
    private bool _wasRefused; // Others wrote: the caller's turn did nothing.
    private Session? _session;
    private bool _wasOpen;
    private ITimer? _alarm;
    private CloseOperation? _closing;

    internal Writer(
        SqliteStore store, SqliteBackendOptions options, Inbox inbox, PartList<Turn> parts, WriteAheadLog log, SpareIds spareIds,
        Results results, Reserving reserving, ILogger logger)
        : base(parts)
    {
        _store = store;
        _options = options;
        _inbox = inbox;
        _log = log;
        _spareIds = spareIds;
        _results = results;
        _reserving = reserving;
        _logger = logger;
        _time = options.TimeProvider;
        _slack = _time == TimeProvider.System ? _time.TimestampFrequency / 500 : 0;
        _agenda = new Agenda(_time);
        inbox.StartWith(Start);
    }

    internal bool IsDisposed => _disposal is not null;

    protected override long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    protected override bool IsOpen => _session is not null;

    protected override Turn? Reader => _session?.Reader;

    protected override TimeSpan BusyTimeout => _options.BusyTimeout;

    private Session Session => _session ?? throw new InvalidOperationException("The turn has not opened the database.");

    /// <summary>Carries out what was submitted, ends every wait, and closes the database. Idempotent.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_startLock)
        {
            return new ValueTask(_disposal ??= CloseOnceAsync());
        }
    }

    private void Start()
    {
        lock (_startLock)
        {
            if (_disposal is not null)
            {
                throw Inbox.Disposed;
            }

            if (_thread is null)
            {
                var thread = new Thread(Write) { IsBackground = true, Name = "errand-sqlite" };
                thread.UnsafeStart();
                _thread = thread;
            }
        }
    }

    private Task CloseOnceAsync()
    {
        if (_thread is not { } thread)
        {
            _inbox.Close([]);
            return Task.CompletedTask;
        }

        var close = new CloseOperation(this);
        _inbox.TryAdd(close);
        return JoinAsync();

        async Task JoinAsync()
        {
            await close.Closed.ConfigureAwait(false);
            thread.Join(); // It has reported its end already: this waits for its stack to be gone.
        }
    }

    private void Write()
    {
        var wait = Timeout.InfiniteTimeSpan;
        while (!IsClosing)
        {
            _inbox.Wait(wait);
            _isCalm = false; // The thread goes before callers.
            lock (_turns)
            {
                Arrived.Clear();
                _inbox.TakeAll(Arrived);
                TakeTurn();
                wait = Sleepable();
            }
        }

        Close();
    }

    /// <summary>
    /// Takes the turn of one operation on the thread of its caller, who then need not wait for another thread to wake:
    /// only while nobody else has anything to write, and never for longer than the work itself takes.
    /// </summary>
    /// <returns>False when the operation is to be left in the inbox: nothing was done.</returns>
    internal bool TryTakeTurn(Operation<Turn> operation)
    {
        // Who has a synchronization context, such as the thread of a user interface, is not kept from it by a disk.
        if (!_isCalm || SynchronizationContext.Current is not null || _turns.IsHeldByCurrentThread || !_turns.TryEnter())
        {
            return false;
        }

        try
        {
            if (!_isCalm || !IsOpen || IsClosing || !_inbox.IsEmpty)
            {
                return false;
            }

            _isAlone = true;
            operation.NoteInline(true);
            Arrived.Clear();
            Arrived.Add(operation);
            TakeTurn();
            if (DueAt(TimeToWait(_agenda)) < _wakesAt - _slack)
            {
                _inbox.Ring(); // The thread sleeps for too long now.
            }

            return !_wasRefused;
        }
        finally
        {
            operation.NoteInline(false);
            _isAlone = false;
            _turns.Exit();
        }
    }

    private void TakeTurn()
    {
        _wasRefused = false;
        try
        {
            TakeTurnAsync().GetAwaiter().GetResult(); // Nothing in it waits: every step of this store is synchronous.
        }
        catch (Exception e)
        {
            // A fault of ours. No caller may wait forever because of it, and the thread must live on.
            Quietly.Run(Fault(e), fault => FailAllAsync(fault).GetAwaiter().GetResult());
        }

        _isCalm = Arrived.Count <= 1 && !_wasRefused;
    }

    /// <summary>
    /// How long the thread may sleep. On the system's clock it sleeps by itself; a clock of tests rings the bell instead.
    /// </summary>
    private TimeSpan Sleepable()
    {
        while (true)
        {
            var now = Now;
            var wait = TimeToWait(_agenda);
            _wakesAt = DueAt(wait);
            if (_time == TimeProvider.System || wait == TimeSpan.Zero || wait == Timeout.InfiniteTimeSpan)
            {
                return wait;
            }

            _alarm ??= _time.CreateTimer(
                static inbox => ((Inbox)inbox!).Ring(), _inbox, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _alarm.Change(wait, Timeout.InfiniteTimeSpan);
            if (Now == now)
            {
                return Timeout.InfiniteTimeSpan; // Otherwise the clock was set meanwhile, and the alarm is late.
            }
        }
    }

    /// <summary>When a wait that begins now is over, as a timestamp of the store's clock.</summary>
    private long DueAt(TimeSpan wait) => wait == Timeout.InfiniteTimeSpan
        ? long.MaxValue
        : _time.GetTimestamp() + (long)(wait.TotalSeconds * _time.TimestampFrequency);

    protected override ValueTask OpenAsync()
    {
        if (_session is null)
        {
            _session = new Session(_store, _store.Open(_wasOpen), Parts, _time);
            _wasOpen = true;
            Parts.Doubt(Doubt.Opened);
        }
        else
        {
            _store.CheckIsThere(Session.Database);
        }

        _log.EmptyIfDoubtful(Session.Database);
        return default;
    }

    /// <summary>
    /// Ids are taken before the turn and synced whatever the durability: a rollback or a power cut gives none twice.
    /// </summary>
    protected override ValueTask PrepareAsync(List<Operation<Turn>> settles, List<Operation<Turn>> enqueues)
    {
        var needed = 0;
        var spare = 0;
        foreach (var operation in enqueues)
        {
            if (operation is IUsesIds user)
            {
                needed += user.NewIds;
                spare = Math.Max(spare, user.SpareIds);
            }
        }

        if (!Session.HasIds(needed) || spare > 0)
        {
            TakeIds(Session.HasIds(needed) ? 0 : Math.Max(needed, TaskIds.BlockSize), spare);
        }

        return default;
    }

    protected override ValueTask PrepareAloneAsync(Operation<Turn> operation) =>
        PrepareAsync([], operation.Stage == TurnStage.Enqueue ? [operation] : []);

    private void TakeIds(int needed, int spare)
    {
        if (!_store.IsMemory && spare == 0 && _spareIds.AreLow)
        {
            spare = TaskIds.BlockSize; // In the same commit: a process that enqueues may do so in a transaction as well.
        }

        _log.OweSync();
        var turn = Begin();
        try
        {
            var first = TaskIds.TakeBlock(turn.Database, needed + spare);
            Commit();
            if (needed > 0)
            {
                Session.UseIds(first, needed);
            }

            if (spare > 0)
            {
                _spareIds.Use(first + needed, spare);
            }
        }
        catch
        {
            Parts.Doubt(Session.RollBack() ? Doubt.OutcomeUnknown : Doubt.RolledBack);
            throw;
        }
    }

    /// <summary>
    /// A turn that is taken only because others have written looks first whether there is anything for it to do: a look
    /// holds nobody up, and a transaction that writes does.
    /// </summary>
    protected override Task TransactAsync(List<Operation<Turn>> settles, List<Operation<Turn>> enqueues, bool fill)
    {
        var isLook = settles.Count + enqueues.Count == 0 && fill && !_store.IsMemory;
        return isLook && !_reserving.IsWorthATurn(Session.Reader) ? Task.CompletedTask : base.TransactAsync(settles, enqueues, fill);
    }

    protected override ValueTask<Turn> BeginAsync() => ValueTask.FromResult(Begin());

    protected override ValueTask CommitAsync(Turn turn)
    {
        Commit();
        return default;
    }

    protected override ValueTask<bool> RollBackAsync(Turn turn, Exception exception) => ValueTask.FromResult(Session.RollBack());

    private Turn Begin()
    {
        _log.BeforeBegin(Session.Database);
        return Session.Begin(isPatient: !_isAlone);
    }

    private void Commit()
    {
        _options.Reached?.Invoke(EnginePoint.Commit);
        Session.Commit();
        _log.NoteCommit(Session.Database);
    }

    /// <summary>Each alone would only wait as long again.</summary>
    protected override bool ConcernsAll(BackendException exception) =>
        exception is BackendBusyException or DatabaseReplacedException;

    protected override bool IsHeldUp(BackendException exception) => exception is BackendBusyException;

    protected override Task FailAllAsync(BackendException exception)
    {
        if (_isAlone && exception is BackendBusyException)
        {
            _wasRefused = true; // The thread has the patience for it.
            Session.Database.ResetStatements();
            return Task.CompletedTask;
        }

        return base.FailAllAsync(exception);
    }

    protected override ValueTask AfterFailureAsync(Exception exception)
    {
        _isAlone = false; // What is tried again has patience.
        if (exception is BackendFullException)
        {
            _log.Shorten(); // An empty log is the room that can be made here.
        }

        if (_session is not null && !_store.IsMemory && exception is BackendException e && SqliteErrors.SpoilsConnection(e))
        {
            Log.ConnectionReplaced(_logger, _store.Path, e);
            CloseSession();
            _log.Distrust();
        }

        _session?.Database.ResetStatements(); // What threw between two binds or rows would spoil the statement's next run.
        return default;
    }

    protected override async ValueTask ReadAsync(List<Operation<Turn>> reads)
    {
        foreach (var read in reads)
        {
            try
            {
                await OpenAsync().ConfigureAwait(false);
                var reader = Session.Reader;
                await _results.LookAsync(reader, [read]).ConfigureAwait(false);
                read.Run(reader);
                CompleteAll([read]);
            }
            catch (Exception e)
            {
                await AfterFailureAsync(e).ConfigureAwait(false);
                read.Fail(e as BackendException ?? Fault(e));
            }
        }
    }

    protected override Task TidyAsync()
    {
        if (_isAlone && _log.IsLong)
        {
            _inbox.Ring(); // No caller is kept while the log is moved to the database.
            return Task.CompletedTask;
        }

        return base.TidyAsync();
    }

    protected override void ReportUpkeepFailed(Exception exception) => Log.UpkeepFailed(_logger, _store.Path, exception);

    protected override void ReportOutdated(SchemaTooNewException exception) => Log.Outdated(_logger, _store.Path, exception);

    protected override BackendException Fault(Exception exception)
    {
        Log.WriterFault(_logger, exception);
        return new BackendException($"{_store.Name}: the writer failed, which is a fault in Errand.", false, exception);
    }

    private void CloseSession()
    {
        _log.CloseConnection();
        _session?.Dispose();
        _session = null;
    }

    private void Close()
    {
        _inbox.Close(Arrived);
        var disposed = Inbox.Disposed;
        foreach (var operation in Arrived)
        {
            operation.Fail(disposed);
        }

        try
        {
            CloseParts(disposed);
            _alarm?.Dispose();
            CloseSession();
        }
        catch (Exception e)
        {
            // Files may be gone, and the disk may be. An exception on this thread would end the process.
            Log.CloseFailed(_logger, _store.Path, e);
        }

        _closing?.SetClosed();
    }

    private void CloseAfterTurn(CloseOperation operation)
    {
        IsClosing = true;
        _closing = operation;
    }

    /// <summary>Tells the writer that this turn is its last.</summary>
    private sealed class CloseOperation(Writer writer) : Operation<Turn>
    {
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal Task Closed => _closed.Task;

        internal override TurnStage Stage => TurnStage.Read;

        internal override bool Complete()
        {
            writer.CloseAfterTurn(this);
            return false;
        }

        /// <summary>The database could not be opened: there is nothing else to close.</summary>
        internal override void Fail(Exception exception) => writer.CloseAfterTurn(this);

        internal void SetClosed() => _closed.SetResult();
    }
}
