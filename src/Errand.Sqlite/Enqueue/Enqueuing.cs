namespace Errand.Sqlite.Enqueue;

/// <summary>
/// Enqueue: what becomes of a new task, by one rule for the writer's turns and for callers' transactions. It is there
/// already, or its unique key is taken, or it is inserted: waiting, or running for a worker that waits for it.
/// </summary>
internal sealed class Enqueuing(Reserving reserving, SqliteStore store, SpareIds spareIds)
{
    /// <summary>Succeeds when the database is open, and ids are at hand, which every turn sees to first.</summary>
    internal Operation<Turn, bool> Initialize() => new InitializeOperation(store, spareIds);

    internal static Operation<Turn, long> NewId() => new NewIdOperation();

    internal Operation<Turn, IReadOnlyList<EnqueuedTask>> Enqueue(IReadOnlyList<NewTask> tasks) => new EnqueueOperation(reserving, tasks);

    /// <summary>
    /// Enqueues in a caller's transaction: no worker of this process is handed anything before it is committed.
    /// </summary>
    /// <exception cref="ArgumentException">An id was never given out: nothing is enqueued.</exception>
    internal static EnqueuedTask[] EnqueueIn(Turn turn, IReadOnlyList<NewTask> tasks)
    {
        if (Misuse(turn, tasks) is { } misuse)
        {
            throw misuse;
        }

        return [.. tasks.Select(task => Enqueue(turn, task, task.Id?.Value, reserving: null))];
    }

    /// <summary>All of the tasks or none: what cannot be enqueued is found before anything is written.</summary>
    private static ArgumentException? Misuse(Turn turn, IReadOnlyList<NewTask> tasks)
    {
        foreach (var task in tasks)
        {
            if (task.Id is not { } given)
            {
                continue;
            }

            if (!TaskIds.WasGiven(turn.Database, given.Value))
            {
                return Arguments.NeverGiven(given.Value);
            }

            turn.Avoid(given.Value);
        }

        return null;
    }

    /// <param name="turn">The transaction.</param>
    /// <param name="task">The task.</param>
    /// <param name="known">Its id, if it has one: then it may be there already.</param>
    /// <param name="reserving">Hands it to a worker that waits; null in a caller's transaction.</param>
    private static EnqueuedTask Enqueue(Turn turn, NewTask task, long? known, Reserving? reserving)
    {
        if (known is { } id && turn.Exists(id))
        {
            return Found(id);
        }

        var name = turn.IdOf(task.Name);
        if (task.UniqueKey is { } key && UniqueKeys.HolderOf(turn, name, key) is { } holder)
        {
            return Found(holder);
        }

        var newId = known ?? turn.NewId();
        var due = task.DueTime(turn.Now);
        var queue = turn.IdOf(task.Queue);
        if (reserving is not null && due <= turn.Now && !(task.ExpiresAt?.ToUnixTimeMilliseconds() <= turn.Now))
        {
            reserving.Offer(turn, task, newId, queue, name, due);
        }
        else
        {
            turn.Insert(task, newId, queue, name, due, Turn.Nobody);
        }

        return new EnqueuedTask { Id = new TaskId(newId), IsNew = true };
    }

    private static EnqueuedTask Found(long id) => new() { Id = new TaskId(id), IsNew = false };

    private sealed class InitializeOperation(SqliteStore store, SpareIds spareIds) : Operation<Turn, bool>, IUsesIds
    {
        internal override TurnStage Stage => TurnStage.Enqueue;

        public int SpareIds => !store.IsMemory && spareIds.AreLow ? TaskIds.BlockSize : 0;

        internal override void Run(Turn turn) => Result = true;
    }

    private sealed class NewIdOperation : Operation<Turn, long>, IUsesIds
    {
        internal override TurnStage Stage => TurnStage.Enqueue;

        public int NewIds => 1;

        internal override void Run(Turn turn) => Result = Result == 0 ? turn.NewId() : Result;
    }

    private sealed class EnqueueOperation(Reserving reserving, IReadOnlyList<NewTask> tasks)
        : Operation<Turn, IReadOnlyList<EnqueuedTask>>, IUsesIds
    {
        private readonly EnqueuedTask[] _enqueued = new EnqueuedTask[tasks.Count];

        internal override TurnStage Stage => TurnStage.Enqueue;

        public int NewIds => tasks.Count;

        internal override void Run(Turn turn)
        {
            Result = _enqueued;
            Refusal = Misuse(turn, tasks);
            for (var i = 0; Refusal is null && i < _enqueued.Length; i++)
            {
                // A commit was tried and may have been done: a new task keeps its id, by which it is found. After any
                // other failure the id means nothing, and may be what failed: it may be somebody else's task.
                var before = MayBeDone ? _enqueued[i] : default;
                var enqueued = Enqueue(turn, tasks[i], tasks[i].Id?.Value ?? (before.IsNew ? before.Id.Value : null), reserving);
                _enqueued[i] = before.IsNew && enqueued.Id == before.Id ? before : enqueued;
            }
        }
    }
}
