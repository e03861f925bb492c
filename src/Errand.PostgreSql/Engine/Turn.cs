using Npgsql;

namespace Errand.PostgreSql.Engine;

/// <summary>
/// One transaction, and the five doors through which a task's life changes in it: <see cref="Insert"/>, <see
/// cref="Start"/>, <see cref="WaitAgain"/>, <see cref="End(string, Action{NpgsqlDataReader})"/> and <see
/// cref="Remove"/>. A statement settles a whole set of tasks, and each kind keeps its own; the method is the door, and
/// every part that listens hears of it there.
/// </summary>
/// <remarks>
/// Operations add statements and collect rows; nothing is sent before the end. The writer takes its turns over the
/// session's connection. A caller's transaction is the same over the caller's connection and thread: nothing that the
/// writer remembers is touched, and its <see cref="Effects"/> are dropped.
/// </remarks>
internal sealed class Turn(
    Session session, TurnBatch batch, PartList<Turn> parts, long number, SchemaTooNewException? outdated = null) : ITurn
{
    /// <summary>The owner of a task that nobody runs.</summary>
    internal const long Nobody = 0;

    /// <summary>
    /// Whoever settles a set of tasks must hold their leases. The planner must fetch the rows by <c>id = any(...)</c>
    /// and hash them, so the ids stand there twice, and the state is compared in a way that is only known after the
    /// join.
    /// </summary>
    internal const string Fence =
        "t.id = any(@ids) and t.id = s.id and t.owner = s.owner and t.epoch = s.epoch and t.state + s.epoch * 0 = 12";

    /// <summary>The same for one task. The sums keep the planner away from the index of running tasks.</summary>
    internal const string FenceOfOne = "id = @id and owner + 0 = @owner and epoch = @epoch and state + 0 = 12";

    /// <summary>Every statement that takes tasks from the live ones begins like this.</summary>
    internal const string DeleteTasks = "delete from errand.errand_tasks";

    private readonly List<TurnRows> _rows = [];

    internal Session Session => session;

    internal TurnBatch Batch => batch;

    /// <summary>
    /// Counts the transactions of a writer: what a lost answer has started is found by it. 0 in a caller's.
    /// </summary>
    internal long Number => number;

    public Effects Effects { get; } = new();

    public SchemaTooNewException? Outdated => outdated;

    /// <summary>Tasks may have come to stand before those that workers have looked past.</summary>
    internal bool IsReordered { get; private set; }

    internal int IdOf(string name) => session.Names.IdOf(name);

    internal string TextOf(int name) => session.Names.TextOf(name);

    /// <summary>Adds a statement that changes no task's life.</summary>
    internal TurnBatch Add(string sql, Action<NpgsqlDataReader> row) => batch.Add(sql, row);

    internal TurnBatch Add(string sql) => batch.Add(sql, static _ => { });

    /// <summary>Tasks that waited before, or may have, are ready: for workers here and elsewhere.</summary>
    internal void Ready()
    {
        Effects.Ready();
        IsReordered = true;
    }

    /// <summary>As <see cref="Ready"/>, but other processes find them by themselves.</summary>
    internal void ReadyHere()
    {
        Effects.ReadyHere();
        IsReordered = true;
    }

    /// <summary>The rows of one kind that are collected in this turn; made when they are first asked for.</summary>
    internal TRows Rows<TRows>(Func<TRows> create)
        where TRows : TurnRows
    {
        if (Find<TRows>() is { } found)
        {
            return found;
        }

        var rows = create();
        _rows.Add(rows);
        return rows;
    }

    internal TRows? Find<TRows>()
        where TRows : TurnRows
    {
        foreach (var rows in _rows)
        {
            if (rows is TRows found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>Adds the statements for what was collected in a stage.</summary>
    public void End(TurnStage stage)
    {
        foreach (var rows in _rows)
        {
            if (rows.Stage == stage)
            {
                rows.Write(this);
            }
        }
    }

    /// <summary>New tasks, or finished ones that wait again as live ones.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="tasks">The new tasks. Those that may exist already are among them.</param>
    /// <param name="row">Reads a row of its answer.</param>
    internal TurnBatch Insert(string sql, IReadOnlyList<NewRow> tasks, Action<NpgsqlDataReader> row)
    {
        if (parts.Inserting.Length > 0)
        {
            foreach (var (task, id, owner) in tasks)
            {
                // The server decides what is due: without a time of its own, a task is due now.
                var waits = task.DueAt is not null || task.Delay > TimeSpan.Zero;
                var state = owner != Nobody ? TaskState.Running : waits ? TaskState.Scheduled : TaskState.Pending;
                foreach (var part in parts.Inserting)
                {
                    part.Inserted(this, task, id, state, task.DueAt?.ToUnixTimeMilliseconds() ?? 0);
                }
            }
        }

        return batch.Add(sql, row);
    }

    /// <summary>Tasks that are ready start.</summary>
    internal TurnBatch Start(string sql, Action<NpgsqlDataReader> row) => batch.Add(sql, row);

    /// <summary>Tasks wait, or wait again.</summary>
    /// <param name="sql">
    /// Its answer has a row for each: the id, and, if they may wait for a time, the epoch and the due time.
    /// </param>
    /// <param name="row">Reads such a row.</param>
    internal TurnBatch WaitAgain(string sql, Action<NpgsqlDataReader> row) => batch.Add(sql, reader =>
    {
        row(reader);
        foreach (var part in parts.Waiting)
        {
            part.WaitsAgain(this, reader.FieldCount > 2 ? reader.GetInt64(2) : 0);
        }
    });

    /// <summary>Tasks end: they leave the live ones for the finished ones.</summary>
    /// <param name="sql">Its answer has a row for each, which begins with the id.</param>
    /// <param name="row">Reads such a row.</param>
    internal TurnBatch End(string sql, Action<NpgsqlDataReader> row) => batch.Add(sql, reader =>
    {
        Effects.Ended.Add(reader.GetInt64(0));
        row(reader);
    });

    // language=postgresql
    private const string DeleteWaitingSql = $"{DeleteTasks} where id = @id and state + 0 <> 12 returning id";

    // language=postgresql
    private const string DeleteFinishedSql = "delete from errand.errand_finished where id = @id returning id";

    /// <summary>A task that does not run goes, and with it all that is kept of it.</summary>
    /// <param name="id">The task.</param>
    /// <param name="removed">Called when it was there, and does not run.</param>
    internal void Remove(long id, Action removed)
    {
        batch.Add(DeleteWaitingSql, Note).With("id", id);
        batch.Add(DeleteFinishedSql, Note).With("id", id);
        foreach (var part in parts.Removing)
        {
            part.Removed(this, id);
        }

        void Note(NpgsqlDataReader row)
        {
            removed();
            Effects.Ended.Add(id); // Whoever waits for it looks, and learns that there is no such task.
        }
    }
}
