using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>Results: a caller who waits for a task's end is told after the turn that ends it.</summary>
public sealed partial class PostgresBackend
{
    private readonly Dictionary<long, List<ResultOperation>> _resultWaiters = [];
    private readonly List<long> _ended = []; // Tasks that end in this transaction, perhaps, and are waited for.
    private bool _waitersMayBeDone; // Somebody else may have ended tasks: every waiter looks again.

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
                _inbox.Writer.TryWrite(new EndResultNote(operation));
            }
        }
    }

    // Both tables in one statement, which is one snapshot: between two, a task could move from one to the other, and it would be
    // in neither. language=postgresql
    private const string FindTasksSql = """
        select f.id, f.state, n.text, q.text, f.attempt, f.enqueued, f.finished, f.result, f.error
        from   errand.finished f
        join   errand.names n on n.id = f.name
        join   errand.names q on q.id = f.queue
        where  f.id = any(@ids)
        union all
        select id, state, '', '', attempt, enqueued, 0, null, null
        from   errand.tasks
        where  id = any(@ids)
        """;

    /// <summary>Carries out what only reads. It is not part of the turn's transaction, and sees what that has committed.</summary>
    private async Task ReadAsync(List<Operation> reads)
    {
        if (reads.Count == 0)
        {
            return;
        }

        try
        {
            List<long> ids = [.. reads.OfType<ResultOperation>().Select(read => read.Id).Distinct()];
            var found = ids.Count == 0 ? null : await FindAsync(ids).ConfigureAwait(false);
            await RunAloneAsync(batch =>
            {
                foreach (var read in reads)
                {
                    if (read is ResultOperation result)
                    {
                        result.Look(found!);
                    }
                    else
                    {
                        read.Run(batch);
                    }
                }
            }).ConfigureAwait(false);
        }
        catch (BackendException e)
        {
            reads.ForEach(read => read.Fail(e));
            await ReplaceConnectionAsync(e).ConfigureAwait(false);
            return;
        }

        CompleteAll(reads);
    }

    /// <returns>How each task ended, null while it lives; one that is not there is left out.</returns>
    private async Task<Dictionary<long, TaskResult?>> FindAsync(List<long> ids)
    {
        Dictionary<long, TaskResult?> found = [];
        await RunAloneAsync(batch => batch.Add(FindTasksSql, row => found[row.GetInt64(0)] = ReadResult(row)).With("ids", ids.ToArray()))
            .ConfigureAwait(false);
        return found;
    }

    private static TaskResult? ReadResult(NpgsqlDataReader row) => row.GetInt16(1) < (int)TaskState.Succeeded ? null : new TaskResult
    {
        Id = new TaskId(row.GetInt64(0)),
        State = (TaskState)row.GetInt16(1),
        Name = row.GetString(2),
        Queue = row.GetString(3),
        Attempts = row.GetInt32(4),
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(5)),
        FinishedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)),
        Value = row.IsDBNull(7) ? default : row.GetFieldValue<byte[]>(7),
        Error = row.IsDBNull(8) ? null : System.Text.Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(8)),
    };

    private void NoteEnded(long id)
    {
        if (_resultWaiters.Count > 0 && _resultWaiters.ContainsKey(id))
        {
            _ended.Add(id);
        }
    }

    /// <summary>After the commit: who waits for what has ended hears of it.</summary>
    private async Task TellWaitersAsync()
    {
        if (_waitersMayBeDone)
        {
            _ended.Clear();
            _ended.AddRange(_resultWaiters.Keys);
            _waitersMayBeDone = false;
        }

        if (_ended.Count == 0)
        {
            return;
        }

        List<long> ended = [.. _ended];
        _ended.Clear();
        try
        {
            var found = await FindAsync(ended).ConfigureAwait(false);
            foreach (var id in ended)
            {
                Tell(id, found);
            }
        }
        catch (BackendException e)
        {
            _waitersMayBeDone = true; // What was committed stands, whatever a read after it meets; the upkeep looks again.
            await ReplaceConnectionAsync(e).ConfigureAwait(false);
        }
    }

    private void Tell(long id, Dictionary<long, TaskResult?> found)
    {
        var isThere = found.TryGetValue(id, out var result);
        if ((isThere && result is null) || !_resultWaiters.Remove(id, out var waiters))
        {
            return;
        }

        foreach (var waiter in waiters)
        {
            waiter.End(result);
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

    private sealed class ResultOperation(PostgresBackend backend, long id, bool waits) : Operation<TaskResult?>
    {
        private bool _isThere;

        internal PostgresBackend Backend => backend;

        internal long Id => id;

        internal override TurnPart Part => TurnPart.Read;

        internal override void Run(TurnBatch batch)
        {
        }

        internal void Look(Dictionary<long, TaskResult?> found)
        {
            _isThere = found.TryGetValue(id, out var result);
            Result = result;
        }

        internal override void Complete()
        {
            if (!waits || !_isThere || Result is not null)
            {
                End(Result);
                return;
            }

            if (!backend._resultWaiters.TryGetValue(id, out var waiters))
            {
                backend._resultWaiters.Add(id, waiters = []);
            }

            waiters.Add(this);
            _isThere = false; // Who looks for it next finds its end, or nothing.
        }

        /// <summary>The task has ended, or is missing.</summary>
        internal void End(TaskResult? result)
        {
            if (result is null && !_isThere)
            {
                Fail(new TaskNotFoundException(new TaskId(id))); // It never was; or it was removed while it was waited for.
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

    /// <summary>The caller waits no more. After the reads of its turn: its operation may be among them.</summary>
    private sealed class EndResultNote(ResultOperation operation) : Note
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run(TurnBatch batch)
        {
        }

        internal override void Complete() => operation.Leave();

        internal override void Fail(Exception exception) => operation.Leave();
    }
}
