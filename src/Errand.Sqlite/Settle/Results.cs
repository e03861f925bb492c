namespace Errand.Sqlite.Settle;

/// <summary>Results: how tasks ended, for callers that ask and callers that wait.</summary>
internal sealed class Results(IInbox<Turn> inbox, TimeProvider time) : ResultWaits<Turn>(inbox, time)
{
    /// <summary>As many as one look asks for one by one.</summary>
    private const int AskedSingly = 64;

    /// <summary>Finished tasks that one look reads of a state at most.</summary>
    private const int FinishedInLook = 5_000;

    /// <summary>How far the clocks of those who write may be apart, in ms, so that nothing is passed over.</summary>
    private const long ClockMargin = 50;

    private readonly Queue<long> _unasked = new(); // Of those that are waited for: not asked for since others wrote.
    private (long Finished, long Id)[]? _read; // How far the finished tasks of each state have been read; null for not at all.

    /// <summary>How a task has ended; null while it lives.</summary>
    internal static Operation<Turn, TaskResult?> Find(long id) => new FindOperation(id);

    // Both tables in one statement, which is one snapshot: between two, another process could move the task from one to
    // the other, and it would be in neither. language=sqlite
    private const string FindTaskSql = """
        select state, name, queue, attempt, enqueued, finished, result, error from errand_finished where id = @id
        union all
        select state, name, queue, attempt, enqueued, 0, null, null from errand_tasks where id = @id
        """;

    protected override ValueTask<Dictionary<long, TaskResult?>> FindAsync(Turn reader, IReadOnlyList<long> ids)
    {
        Dictionary<long, TaskResult?> found = [];
        foreach (var id in ids)
        {
            Find(reader, id, found);
        }

        return ValueTask.FromResult(found);
    }

    private static void Find(Turn reader, long id, Dictionary<long, TaskResult?> found)
    {
        var row = reader.Statement(FindTaskSql).With(id);
        if (row.Step())
        {
            found[id] = Read(reader, row, id);
            row.Reset();
        }
    }

    private static readonly TaskState[] FinalStates = [TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired];

    /// <summary>
    /// Thousands may be waited for while others commit hundreds of times a second. So the newest finished tasks are read
    /// instead, and a few of those that are waited for are asked for in their turn: a task may have been removed, or a
    /// clock may have been put back.
    /// </summary>
    protected override IReadOnlyCollection<long> MayHaveEnded(Turn reader, IReadOnlyCollection<long> waiting)
    {
        if (waiting.Count <= AskedSingly)
        {
            _read = null;
            return waiting;
        }

        if (_read is null)
        {
            _unasked.Clear();
            _read = [.. FinalStates.Select(state => (NewestOf(reader, state) - ClockMargin, long.MaxValue))];
            return waiting; // After the reading above: what ends from then on is found from there.
        }

        HashSet<long> found = [];
        for (var i = 0; i < FinalStates.Length; i++)
        {
            _read[i] = ReadFinished(reader, FinalStates[i], _read[i], found);
        }

        if (_unasked.Count == 0)
        {
            foreach (var id in waiting)
            {
                _unasked.Enqueue(id);
            }
        }

        for (var asked = 0; asked < AskedSingly && _unasked.TryDequeue(out var id); asked++)
        {
            found.Add(id);
        }

        if (_unasked.Count > 0)
        {
            LookAgain();
        }

        return found;
    }

    // language=sqlite
    private const string NewestFinishedSql = "select finished from errand_finished where state = @state order by finished desc limit 1";

    private static long NewestOf(Turn reader, TaskState state) =>
        reader.Statement(NewestFinishedSql).With((long)state).Scalar() ?? 0;

    // language=sqlite
    private const string SelectFinishedSql = """
        select   finished, id
        from     errand_finished
        where    state = @state and (finished, id) > (@finished, @id)
        order by finished, id
        limit    @count
        """;

    /// <returns>How far it has read.</returns>
    private (long Finished, long Id) ReadFinished(
        Turn reader, TaskState state, (long Finished, long Id) from, HashSet<long> found)
    {
        var count = 0;
        var rows = reader.Statement(SelectFinishedSql).With((long)state).With(from.Finished).With(from.Id).With(FinishedInLook);
        while (rows.Step())
        {
            count++;
            from = (rows.Int64(0), rows.Int64(1));
            found.Add(from.Id);
        }

        if (count == FinishedInLook)
        {
            LookAgain();
            return from;
        }

        return count == 0 ? from : (from.Finished - ClockMargin, long.MaxValue);
    }

    private static TaskResult? Read(Turn reader, SqliteStatement row, long id) => row.Int32(0) < (int)TaskState.Succeeded ? null : new TaskResult
    {
        Id = new TaskId(id),
        State = (TaskState)row.Int32(0),
        Name = reader.TextOf(row.Int64(1)),
        Queue = reader.TextOf(row.Int64(2)),
        Attempts = row.Int32(3),
        EnqueuedAt = row.Time(4),
        FinishedAt = row.Time(5),
        Value = row.IsNull(6) ? default : row.Blob(6),
        Error = row.IsNull(7) ? null : row.Text(7),
    };

    private sealed class FindOperation(long id) : Operation<Turn, TaskResult?>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            Dictionary<long, TaskResult?> found = [];
            Find(turn, id, found);
            Result = found.GetValueOrDefault(id);
            Refusal = found.Count == 0 ? new TaskNotFoundException(new TaskId(id)) : null;
        }
    }
}
