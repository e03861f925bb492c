namespace Errand.Sqlite.Reserve;

/// <summary>
/// The ready tasks of one queue that a worker knows, by priority, due time and id. The index has the name before the
/// priority, so tasks of other names cost nothing, however many there are: the names are merged here.
/// </summary>
internal sealed class ReadyTasks
{
    private readonly List<SqliteStatement> _rows = []; // One for each name that is ready.
    private readonly PriorityQueue<SqliteStatement, (long Rank, long Due, long Id)> _heads = new();
    private SqliteStatement? _current;

    // language=sqlite
    private const string NextReadyNameSql =
        "select name from errand_tasks where queue = @queue and state = 10 and name >= @name order by name limit 1";

    /// <summary>The first name from <paramref name="from"/> on that has tasks ready in a queue; null for none.</summary>
    internal static long? NextName(Turn turn, long queue, long from) =>
        turn.Statement(NextReadyNameSql).With(queue).With(from).Scalar();

    /// <summary>Whether a worker knows any task that is ready in a queue.</summary>
    internal static bool HasAny(Turn turn, long queue, LocalWorker worker) => NextKnown(turn, queue, worker, 0) is not null;

    // language=sqlite
    private const string SelectReadySql = """
        select   id, name, due, epoch, attempt, max_attempts, enqueued, timeout, expires, retry, headers, payload, priority
        from     errand_tasks
        where    queue = @queue and name = @name and state = 10
        order by priority desc, due, id
        """;

    /// <summary>Begins to read; <see cref="Close"/> ends it.</summary>
    internal void Open(Turn turn, long queue, LocalWorker worker)
    {
        for (var name = NextKnown(turn, queue, worker, 0); name is { } ready; name = NextKnown(turn, queue, worker, ready + 1))
        {
            var rows = turn.Statement(SelectReadySql, copy: _rows.Count).With(queue).With(ready);
            _rows.Add(rows);
            if (rows.Step())
            {
                _heads.Enqueue(rows, PlaceOf(rows));
            }
        }
    }

    /// <summary>The next task; null after the last.</summary>
    internal SqliteStatement? Next()
    {
        if (_current?.Step() == true)
        {
            if (_heads.Count > 0)
            {
                _current = _heads.EnqueueDequeue(_current, PlaceOf(_current));
            }

            return _current;
        }

        return _heads.TryDequeue(out _current, out _) ? _current : null;
    }

    internal void Close()
    {
        foreach (var rows in _rows)
        {
            rows.Reset();
        }

        _rows.Clear();
        _heads.Clear();
        _current = null;
    }

    /// <summary>The names that are ready and those that the worker knows, in step: each hop passes all that only one side has.</summary>
    private static long? NextKnown(Turn turn, long queue, LocalWorker worker, long from)
    {
        while (worker.NextKnown(from) is { } known)
        {
            if (NextName(turn, queue, known) is not { } ready)
            {
                return null;
            }

            if (ready == known)
            {
                return known;
            }

            from = ready;
        }

        return null;
    }

    private static (long Rank, long Due, long Id) PlaceOf(SqliteStatement row) => (-row.Int64(12), row.Int64(2), row.Int64(0));
}
