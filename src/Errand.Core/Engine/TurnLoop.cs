using Errand.Diagnostics;
using Errand.Running;

namespace Errand.Engine;

/// <summary>
/// The order of a turn, the same for both stores: everything that has arrived, in one transaction. When that fails,
/// each operation alone, so that none suffers for another. A store says how a transaction begins, commits and is rolled
/// back.
/// </summary>
/// <remarks>Which thread takes the turns is the store's affair: a thread, a task, or a simulation that takes them inline.</remarks>
internal abstract partial class TurnLoop<TTurn>(PartList<TTurn> parts)
    where TTurn : class, ITurn
{
    /// <summary>How long the writer leaves a store alone that has just failed it, unless somebody calls.</summary>
    protected static readonly TimeSpan TroublePause = TimeSpan.FromSeconds(1);

    /// <summary>How often an engine that takes nothing new looks whether a wait has ended.</summary>
    private static readonly TimeSpan OutdatedPause = TimeSpan.FromSeconds(1);

    private readonly List<Operation<TTurn>>[] _stages = [[], [], [], []];
    private readonly List<Action> _reports = []; // Of transactions that are committed.
    private bool _upkeepFailed; // In the last turn.
    private bool _isOutdated; // A newer version of Errand has upgraded the store: nothing new is taken any more.

    protected PartList<TTurn> Parts => parts;

    /// <summary>The operations of this turn.</summary>
    protected List<Operation<TTurn>> Arrived { get; } = [];

    /// <summary>This turn is the last.</summary>
    protected bool IsClosing { get; set; }

    /// <summary>The store's clock, in ms UTC.</summary>
    protected abstract long Now { get; }

    protected abstract bool IsOpen { get; }

    /// <summary>Opens the store if need be.</summary>
    protected abstract ValueTask OpenAsync();

    /// <summary>Before the transaction: ids, names, and whatever else the transaction needs.</summary>
    protected abstract ValueTask PrepareAsync(List<Operation<TTurn>> settles, List<Operation<TTurn>> enqueues);

    /// <summary>As <see cref="PrepareAsync"/>, for an operation that runs alone: the store may have been opened again since.</summary>
    protected abstract ValueTask PrepareAloneAsync(Operation<TTurn> operation);

    protected abstract ValueTask<TTurn> BeginAsync();

    protected abstract ValueTask CommitAsync(TTurn turn);

    /// <summary>The transaction failed: takes it back.</summary>
    /// <returns>True when nobody knows whether it was committed.</returns>
    protected abstract ValueTask<bool> RollBackAsync(TTurn turn, Exception exception);

    /// <summary>
    /// Whether a failure is not about one of the operations, so that each alone would only fail after as long.
    /// </summary>
    protected abstract bool ConcernsAll(BackendException exception);

    /// <summary>Whether an operation had to wait for somebody who holds what it needs, until it gave up.</summary>
    protected abstract bool IsHeldUp(BackendException exception);

    /// <summary>How long one turn's operations, each alone, may wait for somebody who holds them all up.</summary>
    protected abstract TimeSpan BusyTimeout { get; }

    /// <summary>The store failed: what is connected to it may have to be replaced.</summary>
    protected abstract ValueTask AfterFailureAsync(Exception exception);

    /// <summary>Runs the reads of a turn, and completes or fails each.</summary>
    protected abstract ValueTask ReadAsync(List<Operation<TTurn>> reads);

    /// <summary>What parts read the store with after the turn; null while it is not open.</summary>
    protected abstract TTurn? Reader { get; }

    protected abstract void ReportUpkeepFailed(Exception exception);

    /// <summary>Reports a fault of Errand's own, and gives the exception that callers of the operation at fault get.</summary>
    protected abstract BackendException Fault(Exception exception);

    /// <summary>Says once that this engine takes nothing new.</summary>
    protected abstract void ReportOutdated(SchemaTooNewException exception);

    protected async Task TakeTurnAsync()
    {
        Sort();
        _upkeepFailed = false;
        var settles = Stage(TurnStage.Settle);
        var enqueues = Stage(TurnStage.Enqueue);
        foreach (var note in Stage(TurnStage.Note))
        {
            note.Hear();
        }

        if (IsClosing && settles.Count + enqueues.Count + Stage(TurnStage.Read).Count == 0)
        {
            return;
        }

        try
        {
            await OpenAsync().ConfigureAwait(false);
            AddUpkeep(settles);
            await PrepareAsync(settles, enqueues).ConfigureAwait(false);
        }
        catch (BackendException e)
        {
            await FailAllAsync(e).ConfigureAwait(false);
            return;
        }

        try
        {
            await TransactAsync(settles, enqueues, fill: true).ConfigureAwait(false);
        }
        catch (BackendException e) when (ConcernsAll(e))
        {
            await FailAllAsync(e).ConfigureAwait(false);
            return;
        }
        catch (Exception e)
        {
            // Whatever it is, it may be about one operation alone, and nothing was committed.
            await AfterFailureAsync(e).ConfigureAwait(false);
            await EachAloneAsync([.. settles, .. enqueues]).ConfigureAwait(false);
            await FillAloneAsync().ConfigureAwait(false);
        }

        if (Stage(TurnStage.Read) is { Count: > 0 } reads)
        {
            await ReadAsync(reads).ConfigureAwait(false);
        }

        await TidyAsync().ConfigureAwait(false);
    }

    /// <summary>How long the writer may sleep when nothing arrives.</summary>
    protected TimeSpan TimeToWait(Agenda agenda)
    {
        if (!IsOpen)
        {
            return parts.All.Any(part => part.NeedsStore) ? TroublePause : Timeout.InfiniteTimeSpan;
        }

        agenda.Clear(Now);
        foreach (var part in parts.Planning)
        {
            if (!_isOutdated || part.WorksOutdated)
            {
                part.Plan(agenda);
            }
        }

        if (_isOutdated)
        {
            agenda.In(OutdatedPause);
        }

        // What is overdue and fails is not tried in a circle.
        return _upkeepFailed && agenda.Wait < TroublePause ? TroublePause : agenda.Wait;
    }

    /// <summary>
    /// One transaction: settle, then enqueue, then reserve for workers that wait. Callers are told after the commit.
    /// </summary>
    protected virtual async Task TransactAsync(List<Operation<TTurn>> settles, List<Operation<TTurn>> enqueues, bool fill)
    {
        fill &= !_isOutdated;
        if (settles.Count + enqueues.Count == 0 && !(fill && parts.HasWork(Now)))
        {
            return;
        }

        var turn = await BeginAsync().ConfigureAwait(false);
        try
        {
            if (turn.Outdated is { } outdated)
            {
                TakeNothingNew(outdated, settles, enqueues);
            }

            Hear(parts.Beginning, turn, static (part, turn) => part.Began(turn));
            RunAll(settles, turn);
            turn.End(TurnStage.Settle);
            if (!_isOutdated)
            {
                Hear(parts.Settling, turn, static (part, turn) => part.Settled(turn));
            }

            RunAll(enqueues, turn);
            turn.End(TurnStage.Enqueue);
            if (fill && !_isOutdated)
            {
                Hear(parts.Filling, turn, static (part, turn) => part.Fill(turn));
            }

            Hear(parts.Committing, turn, static (part, turn) => part.Committing(turn));
            await CommitAsync(turn).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            var isUnknown = await RollBackAsync(turn, e).ConfigureAwait(false);
            if (isUnknown)
            {
                settles.ForEach(operation => operation.NoteOutcomeUnknown());
                enqueues.ForEach(operation => operation.NoteOutcomeUnknown());
            }

            parts.Doubt(isUnknown ? Doubt.OutcomeUnknown : Doubt.RolledBack);
            throw;
        }

        TellCommitted(turn.Effects, settles, enqueues);
    }

    /// <summary>The transaction is committed: from here on, nothing that fails may keep a caller from learning it.</summary>
    private void TellCommitted(Effects effects, List<Operation<TTurn>> settles, List<Operation<TTurn>> enqueues)
    {
        _reports.AddRange(effects.Reports);
        try
        {
            if (settles.Count + enqueues.Count > 0)
            {
                Telemetry.RecordTurn(settles.Count + enqueues.Count);
            }

            effects.Apply();
        }
        catch (Exception e)
        {
            Fault(e);
        }

        foreach (var part in parts.Committed)
        {
            try
            {
                part.Committed(effects); // First: a worker that asks again in time for the next turn has new tasks handed to it.
            }
            catch (Exception e)
            {
                Fault(e);
            }
        }

        var answered = new List<IThreadPoolWorkItem>(settles.Count + enqueues.Count);
        Complete(settles, answered);
        Complete(enqueues, answered);
        WorkBatch.Queue(answered);
    }

    protected void CompleteAll(List<Operation<TTurn>> operations)
    {
        List<IThreadPoolWorkItem> answered = [];
        Complete(operations, answered);
        WorkBatch.Queue(answered);
    }

    private void Complete(List<Operation<TTurn>> operations, List<IThreadPoolWorkItem> answered)
    {
        foreach (var operation in operations)
        {
            try
            {
                if (operation.Complete())
                {
                    answered.Add(operation);
                }
            }
            catch (Exception e)
            {
                operation.Fail(Fault(e));
            }
        }
    }

    protected void CloseParts(Exception disposed)
    {
        foreach (var part in parts.All)
        {
            Quietly.Run((part, disposed), static closing => closing.part.Close(closing.disposed)); // The next are closed whatever one meets.
        }
    }

    private List<Operation<TTurn>> Stage(TurnStage stage) => _stages[(int)stage];

    private void Sort()
    {
        foreach (var stage in _stages)
        {
            stage.Clear();
        }

        foreach (var operation in Arrived)
        {
            Stage(operation.Stage).Add(operation);
        }
    }

    private void AddUpkeep(List<Operation<TTurn>> settles)
    {
        if (Reader is not { } reader)
        {
            return;
        }

        var now = Now;
        foreach (var part in parts.Upkeeping)
        {
            if ((!_isOutdated || part.WorksOutdated) && part.Upkeep(reader, now) is { } work)
            {
                settles.Add(new UpkeepOperation(this, part, work));
            }
        }
    }

    /// <summary>After the turn, and after its callers have been told.</summary>
    protected virtual async Task TidyAsync()
    {
        foreach (var report in _reports)
        {
            report();
        }

        _reports.Clear();
        try
        {
            var reader = Reader;
            foreach (var part in parts.Tidying)
            {
                await part.TidyAsync(reader).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            NoteUpkeepFailed(e);
            await AfterFailureAsync(e).ConfigureAwait(false);
        }
    }

    private static void RunAll(List<Operation<TTurn>> operations, TTurn turn)
    {
        foreach (var operation in operations)
        {
            operation.Run(turn);
        }
    }

    private static void Hear(Part<TTurn>[] parts, TTurn turn, Action<Part<TTurn>, TTurn> moment)
    {
        foreach (var part in parts)
        {
            moment(part, turn);
        }
    }

    /// <summary>
    /// Housekeeping as an operation, so that it shares the turn's transaction and its second chance alone.
    /// </summary>
    private sealed class UpkeepOperation(TurnLoop<TTurn> loop, Part<TTurn> part, Action<TTurn> work) : Operation<TTurn>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(TTurn turn) => work(turn);

        internal override bool Complete() => false;

        internal override void Fail(Exception exception)
        {
            if (!loop._isOutdated)
            {
                loop.NoteUpkeepFailed(exception);
            }
        }

        internal override bool Finishes => part.WorksOutdated;
    }
}
