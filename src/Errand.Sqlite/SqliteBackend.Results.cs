using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Results: a caller who waits for a task's end is told in the turn that ends it.</summary>
public sealed partial class SqliteBackend
{
    private readonly Dictionary<long, List<ResultOperation>> _resultWaiters = [];
    private readonly List<long> _ended = []; // Tasks that ended in this transaction and are waited for.
    private bool _waitersMayBeDone; // Somebody else has written: every waiter looks again.

    /// <inheritdoc/>
    public async ValueTask<TaskResult?> GetResultAsync(
        TaskId id, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var operation = new ResultOperation(this, id.Value, waits: timeout != TimeSpan.Zero);
        Submit(operation);
        var ended = operation.Completion;
        if (timeout == TimeSpan.Zero)
        {
            return await ended.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        try
        {
            return await ended.WaitAsync(timeout, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!ended.IsFaulted)
        {
            return null;
        }
        finally
        {
            if (!ended.IsCompleted)
            {
                _inbox.TryAdd(new EndResultNote(operation));
            }
        }
    }

    // language=sqlite
    private const string FindTaskSql = """
        select state, name, queue, attempt, enqueued, finished, result, error from finished where id = @id
        union all
        select state, name, queue, attempt, enqueued, 0, null, null from tasks where id = @id
        """;

    /// <summary>
    /// Looks at both tables in one statement, which is one snapshot: between two, another process could move the task from one
    /// to the other, and it would be in neither.
    /// </summary>
    /// <returns>How the task ended; null while it lives.</returns>
    /// <exception cref="TaskNotFoundException">There is no such task.</exception>
    private TaskResult? Find(long id)
    {
        var row = Database.Statement(FindTaskSql).With(id);
        if (!row.Step())
        {
            throw new TaskNotFoundException(new TaskId(id));
        }

        var result = row.Int32(0) < (int)TaskState.Succeeded ? null : new TaskResult
        {
            Id = new TaskId(id),
            State = (TaskState)row.Int32(0),
            Name = _names.TextOf(Database, row.Int64(1)),
            Queue = _names.TextOf(Database, row.Int64(2)),
            Attempts = row.Int32(3),
            EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(4)),
            FinishedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(5)),
            Value = row.IsNull(6) ? default : row.Blob(6),
            Error = row.IsNull(7) ? null : row.Text(7),
        };
        row.Reset();
        return result;
    }

    private void NoteEnded(long id)
    {
        if (_resultWaiters.Count > 0 && _resultWaiters.ContainsKey(id))
        {
            _ended.Add(id);
        }
    }

    /// <summary>After the commit: who waits for what has ended hears of it.</summary>
    private void TellWaiters()
    {
        try
        {
            foreach (var id in _ended)
            {
                Tell(id);
            }
        }
        catch (BackendException)
        {
            _waitersMayBeDone = true; // What was committed stands, whatever a read after it meets; the upkeep looks again.
        }

        _ended.Clear();
    }

    private void TellAllWaiters()
    {
        if (_waitersMayBeDone)
        {
            foreach (var id in _resultWaiters.Keys.ToArray())
            {
                Tell(id);
            }

            _waitersMayBeDone = false;
        }
    }

    private void Tell(long id)
    {
        TaskResult? result = null;
        TaskNotFoundException? missing = null;
        try
        {
            result = Find(id);
        }
        catch (TaskNotFoundException e)
        {
            missing = e; // It was removed while it was waited for.
        }

        if (result is null && missing is null)
        {
            return;
        }

        _resultWaiters.Remove(id, out var waiters);
        foreach (var waiter in waiters ?? [])
        {
            waiter.End(result, missing);
        }
    }

    private void EndWaits(Exception exception)
    {
        FailWaiting(exception);
        foreach (var waiter in _resultWaiters.Values.SelectMany(waiters => waiters))
        {
            waiter.Fail(exception);
        }

        _resultWaiters.Clear();
    }

    private sealed class ResultOperation(SqliteBackend backend, long id, bool waits) : Operation<TaskResult?>
    {
        private bool _isWaiting;

        internal SqliteBackend Backend => backend;

        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
            Result = backend.Find(id);
            _isWaiting = waits && Result is null;
        }

        internal override void Complete()
        {
            if (!_isWaiting)
            {
                base.Complete();
                return;
            }

            if (!backend._resultWaiters.TryGetValue(id, out var waiters))
            {
                backend._resultWaiters.Add(id, waiters = []);
            }

            waiters.Add(this);
        }

        /// <summary>The task has ended, or is missing.</summary>
        internal void End(TaskResult? result, TaskNotFoundException? missing)
        {
            if (missing is not null)
            {
                Fail(missing);
                return;
            }

            Result = result;
            base.Complete();
        }

        internal void Leave()
        {
            if (backend._resultWaiters.TryGetValue(id, out var waiters) && waiters.Remove(this) && waiters.Count == 0)
            {
                backend._resultWaiters.Remove(id);
            }
        }
    }

    /// <summary>The caller waits no more.</summary>
    private sealed class EndResultNote(ResultOperation operation) : Operation
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => operation.Leave();

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception) => operation.Leave();
    }
}
