using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Enqueue: a new task is inserted as pending or scheduled, or handed to a worker that waits for it.</summary>
public sealed partial class SqliteBackend
{
    private readonly HashSet<long> _emptyQueues = []; // Queues seen to have no ready task, within one transaction.

    /// <inheritdoc/>
    public async ValueTask<TaskId> NewIdAsync(CancellationToken cancellationToken = default) =>
        new(await SubmitAsync(new NewIdOperation(this), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync(
        IReadOnlyList<NewTask> tasks, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentOutOfRangeException.ThrowIfZero(tasks.Count, nameof(tasks));
        return await SubmitAsync(new EnqueueOperation(this, tasks), cancellationToken).ConfigureAwait(false);
    }

    // language=sqlite
    private const string InsertTaskSql = """
        insert into tasks (
            id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, timeout, expires,
            unique_key, retry, trace, payload)
        values (
            @id, @state, @owner, @epoch, @attempt, @priority, @due, @now, @queue, @name, @max_attempts, @now, @timeout, @expires,
            @unique_key, @retry, @trace, @payload)
        """;

    // As above, for the many that have nothing of what may be null: each value that is bound costs as much as some columns.
    // language=sqlite
    private const string InsertPlainTaskSql = """
        insert into tasks (id, state, owner, epoch, attempt, priority, due, started, queue, name, max_attempts, enqueued, payload)
        values (@id, @state, @owner, @epoch, @attempt, @priority, @due, @now, @queue, @name, @max_attempts, @now, @payload)
        """;

    /// <summary>Inserts a task: running for <paramref name="owner"/>, or, when that is null, waiting until it is due.</summary>
    private static void InsertRow(
        SqliteDatabase database, NewTask task, long id, long queue, long name, long due, long now, long? owner)
    {
        var start = owner is null ? 0 : 1;
        var retry = RetryText.Of(task.Retry);
        var isPlain = retry is null && task is { Timeout: null, ExpiresAt: null, UniqueKey: null, Trace: null };
        var row = database.Statement(isPlain ? InsertPlainTaskSql : InsertTaskSql)
            .With(id).With((long)StateOf(due, now, owner)).With(owner ?? Nobody).With(start).With(start).With(task.Priority).With(due)
            .With(now).With(queue).With(name).With(task.Retry.MaxAttempts);
        if (!isPlain)
        {
            row.With((long?)task.Timeout?.TotalMilliseconds).With(task.ExpiresAt?.ToUnixTimeMilliseconds()).With(task.UniqueKey)
                .With(retry).With(task.Trace);
        }

        row.With(task.Payload.Span).Execute();
        if (task is { UniqueKey: { } key, UniqueFor: { } period })
        {
            HoldFor(database, period, name, key, id, now);
        }
    }

    private static TaskState StateOf(long due, long now, long? owner) =>
        owner is not null ? TaskState.Running : due <= now ? TaskState.Pending : TaskState.Scheduled;

    private static long DueTime(NewTask task, long now) => task switch
    {
        { DueAt: { } due } => Math.Max(now, due.ToUnixTimeMilliseconds()),
        { Delay: { } delay } => now + (long)Math.Ceiling(delay.TotalMilliseconds),
        _ => now,
    };

    private void Insert(NewTask task, long id)
    {
        var due = DueTime(task, _now);
        var queue = _names.IdOf(Database, task.Queue);
        var name = _names.IdOf(Database, task.Name);
        var taker = due <= _now ? TakerOf(queue, name) : null;
        if (task.ExpiresAt is { } expires)
        {
            taker = expires.ToUnixTimeMilliseconds() <= _now ? null : taker;
            _nextExpiry = Math.Min(_nextExpiry, expires.ToUnixTimeMilliseconds());
        }

        InsertRow(Database, task, id, queue, name, due, _now, taker?.Owner);
        switch (StateOf(due, _now, taker?.Owner))
        {
            case TaskState.Running:
                taker!.Reserved.Add(HandOff(task, id, taker.Owner, due));
                break;
            case TaskState.Pending:
                _emptyQueues.Remove(queue);
                NoteReady();
                break;
            default:
                _nextDue = Math.Min(_nextDue, due);
                _wakeOwed = true;
                break;
        }
    }

    // language=sqlite
    private const string AnyReadySql = "select 1 from tasks where queue = @queue and state = 10 limit 1";

    /// <summary>
    /// The worker that a new task can be handed to as it is inserted: one that waits on the queue, knows the name and has room,
    /// and only while no earlier task is ready, as seen inside this transaction.
    /// </summary>
    private ReserveOperation? TakerOf(long queue, long name)
    {
        if (IsPaused(queue))
        {
            return null;
        }

        foreach (var waiting in _waiting)
        {
            if (waiting.HasRoom && waiting.Takes(queue, name))
            {
                return IsEmpty(queue) ? waiting : null;
            }
        }

        return null;
    }

    private bool IsEmpty(long queue)
    {
        if (_emptyQueues.Contains(queue))
        {
            return true;
        }

        if (Database.Statement(AnyReadySql).With(queue).Scalar() is not null)
        {
            return false;
        }

        _emptyQueues.Add(queue);
        return true;
    }

    private ReservedTask HandOff(NewTask task, long id, long owner, long due) => new()
    {
        Lease = new TaskLease { Id = new TaskId(id), Owner = new WorkerId(owner), Epoch = 1 },
        Name = task.Name,
        Queue = task.Queue,
        Attempt = 1,
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(_now),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(due),
        Timeout = task.Timeout,
        Retry = task.Retry,
        Trace = task.Trace,
        Payload = task.Payload,
    };

    // language=sqlite
    private const string ExistsSql = """
        select 1 from tasks where id = @id
        union all
        select 1 from finished where id = @id
        """;

    private static bool Exists(SqliteDatabase database, long id) => database.Statement(ExistsSql).With(id).Scalar() is not null;

    private static ArgumentException NeverGiven(long id) =>
        new($"The id {id} was never given out. Ids come from NewIdAsync; a key of your own belongs in the payload.");

    private sealed class EnqueueOperation(SqliteBackend backend, IReadOnlyList<NewTask> tasks)
        : Operation<IReadOnlyList<EnqueuedTask>>
    {
        private readonly EnqueuedTask[] _enqueued = new EnqueuedTask[tasks.Count];
        private ArgumentException? _misuse;

        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int NewIds => tasks.Count;

        internal override void Run()
        {
            Result = _enqueued;
            for (var i = 0; i < _enqueued.Length; i++)
            {
                // A given id, or the one it had before a rollback whose commit may have been done after all.
                var known = tasks[i].Id?.Value ?? (_enqueued[i].IsNew ? _enqueued[i].Id.Value : null);
                if (known is { } id && Exists(backend.Database, id))
                {
                    _enqueued[i] = _enqueued[i] with { Id = new TaskId(id) }; // New if that commit was its own.
                    continue;
                }

                if (tasks[i].Id?.Value is { } given && !TaskIds.WasGiven(backend.Database, given))
                {
                    _misuse ??= NeverGiven(given);
                    continue;
                }

                if (tasks[i].UniqueKey is { } key
                    && HolderOf(backend.Database, backend._names.IdOf(backend.Database, tasks[i].Name), key, backend._now) is { } holder)
                {
                    _enqueued[i] = new EnqueuedTask { Id = new TaskId(holder), IsNew = false };
                    continue;
                }

                _enqueued[i] = new EnqueuedTask { Id = new TaskId(known ?? backend._ids.Take()), IsNew = true };
                backend.Insert(tasks[i], _enqueued[i].Id.Value);
            }
        }

        internal override void Complete()
        {
            if (_misuse is null)
            {
                base.Complete();
            }
            else
            {
                Fail(_misuse);
            }
        }
    }

    private sealed class NewIdOperation(SqliteBackend backend) : Operation<long>
    {
        internal override TurnPart Part => TurnPart.Enqueue;

        internal override int NewIds => 1;

        internal override void Run() => Result = Result == 0 ? backend._ids.Take() : Result;
    }
}
