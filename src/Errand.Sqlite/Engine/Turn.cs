namespace Errand.Sqlite.Engine;

/// <summary>
/// One transaction, and the five doors through which a task's life changes in it: <see cref="Insert(NewTask, long,
/// long, long, long, long)"/>,
/// <see cref="Start"/>, <see cref="WaitAgain"/>, <see cref="End(long, SqliteStatement)"/> and <see cref="Remove"/>. Kinds keep their
/// own statements; the method is the door, and every part that listens hears of it there.
/// </summary>
/// <remarks>
/// The writer takes its turns over the session's connection. A caller's transaction is the same over the caller's
/// connection and thread: nothing remembered by the writer is touched, and its <see cref="Effects"/> are dropped.
/// </remarks>
internal sealed class Turn(
    SqliteDatabase database, InternedNames names, TaskIds ids, PartList<Turn> parts, long now, SchemaTooNewException? outdated = null)
    : ITurn
{
    /// <summary>The owner of a task that nobody runs: as wide in the row as a worker's id.</summary>
    internal const long Nobody = 1L << 40;

    /// <summary>
    /// Whoever settles a task must hold its lease: this id, this owner, this start, and still running.
    /// </summary>
    internal const string Fence = $"id = @id and epoch = @epoch and {Owned}";

    private const string Owned = "owner = @owner and state = 12";

    /// <summary>Rows in one statement, whose own cost is that of several rows.</summary>
    private const int RowsTogether = 16;

    private readonly List<InsertedRow> _inserted = []; // Not written yet, as those below.
    private readonly List<EndedRow> _ended = []; // All of one owner.

    internal SqliteDatabase Database => database;

    internal InternedNames Names => names;

    /// <summary>The clock of this transaction, in ms UTC.</summary>
    internal long Now => now;

    public Effects Effects { get; } = new();

    public SchemaTooNewException? Outdated => outdated;

    public void End(TurnStage stage) => WriteRows();

    /// <summary>Every statement sees what was done before it in this transaction.</summary>
    /// <param name="sql">The statement, which is prepared once.</param>
    /// <param name="copy">Tells those apart that are open at once.</param>
    internal SqliteStatement Statement(string sql, int copy = 0)
    {
        WriteRows();
        return database.Statement(sql, copy);
    }

    /// <summary>A statement that is fenced, with the lease as its next parameters.</summary>
    internal static SqliteStatement Fenced(SqliteStatement statement, TaskLease lease) =>
        statement.With(lease.Id.Value).With(lease.Epoch).With(lease.Owner.Value);

    internal long NewId() => ids.Take();

    /// <summary>A caller names this id: no other task is given it.</summary>
    internal void Avoid(long id) => ids.Avoid(id);

    internal long IdOf(string name) => names.IdOf(database, name);

    internal string TextOf(long name) => names.TextOf(database, name);

    // language=sqlite
    private const string InsertTaskSql = """
        insert into errand_tasks (
            id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, timeout, expires,
            unique_key, retry, headers, payload)
        values (
            @id, @state, @owner, @epoch, @attempt, @priority, @due, @now, @queue, @name, @max_attempts, @now, @timeout, @expires,
            @unique_key, @retry, @headers, @payload)
        """;

    // As above, for the many tasks that have nothing of what may be null: each value that is bound costs as much as
    // some columns. language=sqlite
    private const string InsertPlainTasksSql = """
        insert into errand_tasks (
            id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, payload)
        values
        """;

    private const string PlainTaskSql = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    private static readonly string InsertPlainTaskSql = InsertPlainTasksSql + PlainTaskSql;
    private static readonly string InsertManyTasksSql = InsertPlainTasksSql + Many(PlainTaskSql);

    /// <summary>
    /// A new task: running for <paramref name="owner"/>, or, when that is <see cref="Nobody"/>, waiting until it is
    /// due.
    /// </summary>
    internal void Insert(NewTask task, long id, long queue, long name, long due, long owner)
    {
        var state = owner != Nobody ? TaskState.Running : due <= now ? TaskState.Pending : TaskState.Scheduled;
        var starts = owner != Nobody ? 1 : 0;
        var retry = RetryText.Of(task.Retry);
        if (retry is null && task is { Timeout: null, ExpiresAt: null, UniqueKey: null, Headers: null })
        {
            _inserted.Add(new InsertedRow(task, id, state, owner, starts, due, queue, name));
            if (_inserted.Count == RowsTogether)
            {
                WriteRows();
            }
        }
        else
        {
            Statement(InsertTaskSql)
                .With(id).With((long)state).With(owner).With(starts).With(starts).With(task.Priority).With(due)
                .With(now).With(queue).With(name).With(task.Retry.MaxAttempts)
                .With((long?)task.Timeout?.TotalMilliseconds).With(task.ExpiresAt?.ToUnixTimeMilliseconds()).With(task.UniqueKey)
                .With(retry).With(task.Headers).With(task.Payload.Span).Execute();
        }

        if (state == TaskState.Pending)
        {
            Effects.Ready();
        }
        else if (state == TaskState.Scheduled)
        {
            Effects.WakeOthers();
        }

        foreach (var part in parts.Inserting)
        {
            part.Inserted(this, task, id, state, due);
        }
    }

    /// <summary>A finished task waits again as a live one.</summary>
    /// <param name="id">The task.</param>
    /// <param name="copy">Copies its row to the live ones.</param>
    /// <param name="beforeDelete">What is kept of its row, before that is deleted.</param>
    /// <returns>False when the statement found no row to copy.</returns>
    internal bool Insert(long id, SqliteStatement copy, Action<Turn, long> beforeDelete)
    {
        if (copy.Execute() != 1)
        {
            return false;
        }

        beforeDelete(this, id);
        Statement(DeleteFinishedSql).With(id).Execute();
        Effects.Ready();
        return true;
    }

    // language=sqlite
    private const string StartSql = """
        update errand_tasks
        set    state = 12, owner = @owner, epoch = epoch + 1, attempt = attempt + 1, started = @now
        where  id = @id
        """;

    /// <summary>A task that was read as pending in this transaction starts.</summary>
    internal void Start(long id, long owner) => Statement(StartSql).With(owner).With(now).With(id).Execute();

    /// <summary>A task waits, or waits again, until <paramref name="due"/>; or several do.</summary>
    /// <returns>How many rows the statement changed.</returns>
    internal int WaitAgain(long due, SqliteStatement update)
    {
        var count = update.Execute();
        if (count > 0)
        {
            if (due <= now)
            {
                Effects.Ready();
            }
            else
            {
                Effects.WakeOthers();
            }

            foreach (var part in parts.Waiting)
            {
                part.WaitsAgain(this, due);
            }
        }

        return count;
    }

    // language=sqlite
    private const string DeleteSql = "delete from errand_tasks where ";
    private const string DeleteTaskSql = DeleteSql + "id = @id";

    /// <summary>
    /// A task ends: <paramref name="archive"/> copies its row to the finished ones, and it leaves the live ones.
    /// </summary>
    /// <returns>False when the statement found no row to copy.</returns>
    internal bool End(long id, SqliteStatement archive)
    {
        if (archive.Execute() != 1)
        {
            return false;
        }

        Statement(DeleteTaskSql).With(id).Execute();
        Effects.Ended.Add(id);
        return true;
    }

    // language=sqlite
    private const string InsertFinishedSql =
        "insert into errand_finished (id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, result) values ";

    private const string FinishedSql = "(?, 20, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    private const string DeleteRunningSql = DeleteSql + Fence;

    // Without the epoch: while the owner has the task, only this backend starts it, and it remembers the last start.
    private static readonly string DeleteManySql = DeleteSql + "id in (" + Many("?") + ") and " + Owned;
    private static readonly string ArchiveOneSql = InsertFinishedSql + FinishedSql;
    private static readonly string ArchiveManySql = InsertFinishedSql + Many(FinishedSql);

    /// <summary>
    /// A task that was started here succeeds. It is written together with others before the next statement. If one of them no longer
    /// belongs to its owner, that write throws, and each is settled alone.
    /// </summary>
    internal void End(in RunningTask task, ReadOnlyMemory<byte> result)
    {
        if (_ended.Count == RowsTogether || (_ended.Count > 0 && _ended[0].Task.Task.Lease.Owner != task.Task.Lease.Owner))
        {
            WriteRows();
        }

        _ended.Add(new EndedRow(task, result));
        Effects.Ended.Add(task.Task.Lease.Id.Value);
    }

    // language=sqlite
    private const string IsWaitingSql = "select 1 from errand_tasks where id = @id and state in (10, 11)";

    // language=sqlite
    private const string DeleteFinishedSql = "delete from errand_finished where id = @id";

    /// <summary>A task that does not run goes with all that is kept of it.</summary>
    /// <returns>False when there is none that does not run.</returns>
    internal bool Remove(long id)
    {
        var isWaiting = Statement(IsWaitingSql).With(id).Scalar() is not null;
        if (Statement(isWaiting ? DeleteTaskSql : DeleteFinishedSql).With(id).Execute() == 0)
        {
            return false;
        }

        foreach (var part in parts.Removing)
        {
            part.Removed(this, id);
        }

        Effects.Ended.Add(id); // Whoever waits for it looks, and learns that there is no such task.
        return true;
    }

    // language=sqlite
    private const string ExistsSql = """
        select 1 from errand_tasks where id = @id
        union all
        select 1 from errand_finished where id = @id
        """;

    /// <summary>Whether there is such a task, live or finished.</summary>
    internal bool Exists(long id) => Statement(ExistsSql).With(id).Scalar() is not null;

    private static string Many(string row) => string.Join(", ", Enumerable.Repeat(row, RowsTogether));

    private void WriteRows()
    {
        if (_ended.Count > 0)
        {
            WriteEnded();
        }

        if (_inserted.Count > 0)
        {
            WriteInserted();
        }
    }

    private void WriteInserted()
    {
        var together = _inserted.Count == RowsTogether;
        var statement = database.Statement(together ? InsertManyTasksSql : InsertPlainTaskSql);
        foreach (var row in _inserted)
        {
            statement.With(row.Id).With((long)row.State).With(row.Owner).With(row.Starts).With(row.Starts).With((long)row.Task.Priority)
                .With(row.Due).With(now).With(row.Queue).With(row.Name).With((long)row.Task.Retry.MaxAttempts).With(now)
                .With(row.Task.Payload.Span);
            if (!together)
            {
                statement.Execute();
            }
        }

        if (together)
        {
            statement.Execute();
        }

        _inserted.Clear();
    }

    private void WriteEnded()
    {
        var together = _ended.Count == RowsTogether;
        Delete(together);
        var archive = database.Statement(together ? ArchiveManySql : ArchiveOneSql);
        foreach (var (running, result) in _ended)
        {
            var task = running.Task;
            archive.With(task.Lease.Id.Value).With(running.Queue).With(running.Name).With(running.Priority).With((long)task.Attempt)
                .With(task.Lease.Epoch).With(task.EnqueuedAt.ToUnixTimeMilliseconds()).With(task.DueAt.ToUnixTimeMilliseconds())
                .With(running.Started).With(now).With(result.Span);
            if (!together)
            {
                archive.Execute();
            }
        }

        if (together)
        {
            archive.Execute();
        }

        _ended.Clear();
    }

    /// <exception cref="BackendException">One of them no longer belongs to its owner.</exception>
    private void Delete(bool together)
    {
        var delete = database.Statement(together ? DeleteManySql : DeleteRunningSql);
        var deleted = 0;
        foreach (var (running, _) in _ended)
        {
            if (together)
            {
                delete.With(running.Task.Lease.Id.Value);
            }
            else
            {
                deleted += Fenced(delete, running.Task.Lease).Execute();
            }
        }

        if (together)
        {
            deleted = delete.With(_ended[0].Task.Task.Lease.Owner.Value).Execute();
        }

        if (deleted != _ended.Count)
        {
            throw new BackendException("A task no longer belongs to its owner: each is settled alone.", isTransient: true, null);
        }
    }

    /// <summary>Reads in one snapshot, which holds nobody up. Not inside a transaction.</summary>
    internal T InSnapshot<T>(Func<Turn, T> read)
    {
        Statement("begin").Execute();
        try
        {
            return read(this);
        }
        finally
        {
            if (database.IsInTransaction)
            {
                Statement("rollback").Execute(); // Nothing was written: it only ends the snapshot.
            }
        }
    }

    private readonly record struct InsertedRow(
        NewTask Task, long Id, TaskState State, long Owner, long Starts, long Due, long Queue, long Name);

    private readonly record struct EndedRow(RunningTask Task, ReadOnlyMemory<byte> Result);
}
