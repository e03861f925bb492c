using Errand.Storage;

namespace Errand.Engine;

/// <summary>Callers that wait for the end of a task: each wait ends after the turn that ends the task.</summary>
internal abstract class ResultWaits<TTurn>(IInbox<TTurn> inbox, TimeProvider time) : Part<TTurn>
{
    /// <summary>A timer that runs longer is refused by the runtime: longer waits are taken in pieces.</summary>
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40);

    private readonly Dictionary<long, List<ResultOperation>> _waiting = [];
    private readonly List<long> _ended = []; // Tasks that have ended and are waited for.
    private bool _looksAgain; // Somebody else may have ended tasks: every caller's is looked at.

    internal override Moments Hears => Moments.Doubted | Moments.Committed | Moments.Tidy;

    internal override bool NeedsStore => IsWaitedFor;

    internal bool IsWaitedFor => _waiting.Count > 0;

    /// <inheritdoc cref="IBackend.GetResultAsync"/>
    internal async ValueTask<TaskResult?> GetAsync(long id, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Arguments.CheckWait(timeout, nameof(timeout));
        cancellationToken.ThrowIfCancellationRequested();
        var operation = new ResultOperation(this, id, keepsWaiting: timeout != TimeSpan.Zero);
        inbox.Submit(operation);
        var ended = operation.ToTask();
        if (timeout == TimeSpan.Zero)
        {
            return await ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        try
        {
            while (timeout > LongestTimer && !await EndsInAsync(ended, LongestTimer, cancellationToken).ConfigureAwait(false))
            {
                timeout -= LongestTimer;
            }

            return await ended.WaitAsync(timeout < LongestTimer ? timeout : LongestTimer, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!ended.IsFaulted)
        {
            return null;
        }
        finally
        {
            if (!ended.IsCompleted)
            {
                inbox.TryAdd(new EndWaitNote(operation));
            }
        }
    }

    private async Task<bool> EndsInAsync(Task ended, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await ended.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException) when (!ended.IsFaulted)
        {
            return false;
        }
    }

    /// <summary>Somebody else may have ended tasks that are waited for here.</summary>
    internal void LookAgain() => _looksAgain = true;

    internal override void Doubted(Doubt why) => _looksAgain |= why is Doubt.Polled or Doubt.OthersWrote;

    internal override void Committed(Effects effects)
    {
        if (_waiting.Count == 0)
        {
            return;
        }

        foreach (var id in effects.Ended)
        {
            if (_waiting.ContainsKey(id))
            {
                _ended.Add(id);
            }
        }
    }

    internal override async ValueTask TidyAsync(TTurn? reader)
    {
        if (reader is null || (_ended.Count == 0 && !_looksAgain))
        {
            return;
        }

        long[] ended = [.. _ended];
        _ended.Clear();
        if (_looksAgain)
        {
            _looksAgain = false;
            ended = [.. ended, .. MayHaveEnded(reader, _waiting.Keys).Where(_waiting.ContainsKey)];
        }

        if (ended.Length == 0)
        {
            return;
        }

        try
        {
            var found = await FindAsync(reader, ended).ConfigureAwait(false);
            foreach (var id in ended)
            {
                Tell(id, found);
            }
        }
        catch (BackendException)
        {
            _looksAgain = true; // What was committed stands, whatever a read after it meets.
            throw;
        }
    }

    internal override void Close(Exception disposed)
    {
        foreach (var waiting in _waiting.Values.SelectMany(waiting => waiting))
        {
            waiting.Fail(disposed);
        }

        _waiting.Clear();
    }

    /// <summary>Looks for the tasks that these reads ask for; the other reads are left alone.</summary>
    internal async ValueTask LookAsync(TTurn reader, IReadOnlyList<Operation<TTurn>> reads)
    {
        long[] ids = [.. reads.OfType<ResultOperation>().Select(read => read.Id).Distinct()];
        if (ids.Length == 0)
        {
            return;
        }

        var found = await FindAsync(reader, ids).ConfigureAwait(false);
        foreach (var read in reads.OfType<ResultOperation>())
        {
            read.Look(found);
        }
    }

    /// <summary>
    /// Others may have ended tasks: those of the ones that are waited for which may have ended. Default is all of them.
    /// </summary>
    protected virtual IReadOnlyCollection<long> MayHaveEnded(TTurn reader, IReadOnlyCollection<long> waiting) => waiting;

    /// <returns>How each task ended, null while it lives; one that is not there is left out.</returns>
    protected abstract ValueTask<Dictionary<long, TaskResult?>> FindAsync(TTurn reader, IReadOnlyList<long> ids);

    private void Tell(long id, Dictionary<long, TaskResult?> found)
    {
        var isThere = found.TryGetValue(id, out var result);
        if ((isThere && result is null) || !_waiting.Remove(id, out var waiting))
        {
            return;
        }

        foreach (var one in waiting)
        {
            one.End(result);
        }
    }

    private void Add(ResultOperation operation)
    {
        if (!_waiting.TryGetValue(operation.Id, out var waiting))
        {
            _waiting.Add(operation.Id, waiting = []);
        }

        waiting.Add(operation);
    }

    private void Remove(ResultOperation operation)
    {
        if (_waiting.TryGetValue(operation.Id, out var waiting) && waiting.Remove(operation) && waiting.Count == 0)
        {
            _waiting.Remove(operation.Id);
        }
    }

    private sealed class ResultOperation(ResultWaits<TTurn> waits, long id, bool keepsWaiting) : Operation<TTurn, TaskResult?>
    {
        private bool _keepsWaiting = keepsWaiting;
        private bool _isThere;

        internal long Id => id;

        internal override TurnStage Stage => TurnStage.Read;

        internal void Look(Dictionary<long, TaskResult?> found)
        {
            _isThere = found.TryGetValue(id, out var result);
            Result = result;
        }

        internal override bool Complete()
        {
            if (!_keepsWaiting || !_isThere || Result is not null)
            {
                Refusal = Result is null && (_keepsWaiting || !_isThere) ? new TaskNotFoundException(new TaskId(id)) : null;
                return base.Complete();
            }

            waits.Add(this);
            return false;
        }

        /// <summary>The task has ended, or is missing: it never was, or was removed while it was waited for.</summary>
        internal void End(TaskResult? result)
        {
            Result = result;
            _keepsWaiting = false;
            _isThere = result is not null;
            CompleteAlone();
        }

        internal void Leave() => waits.Remove(this);
    }

    /// <summary>The caller waits no more. After the reads of its turn: its operation may be among them.</summary>
    private sealed class EndWaitNote(ResultOperation operation) : Note<TTurn>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override bool Complete()
        {
            operation.Leave();
            return false;
        }

        internal override void Fail(Exception exception) => operation.Leave();
    }
}
