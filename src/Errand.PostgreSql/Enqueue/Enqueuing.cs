namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Enqueue: the rule by which a task is new, known, or one of a unique key, and the operations. Turns and callers'
/// transactions follow the same rule.
/// </summary>
internal sealed class Enqueuing(
    IInbox<Turn> inbox, StoreClock clock, IdLocks locks, UniqueKeys unique, Reserving reserving, Promotion promotion)
{
    internal StoreClock Clock => clock;

    internal IdLocks Locks => locks;

    internal UniqueKeys Unique => unique;

    internal Reserving Reserving => reserving;

    internal Promotion Promotion => promotion;

    internal static Operation<Turn, long> NewId() => new NewIdOperation();

    internal Operation<Turn, IReadOnlyList<EnqueuedTask>> Enqueue(IReadOnlyList<NewTask> tasks) =>
        new EnqueueOperation(this, tasks);

    /// <summary>
    /// Gives the tasks of a caller's transaction what must be had before it: numbers for their names, and ids.
    /// </summary>
    internal static Operation<Turn, PreparedTasks> Prepare(IReadOnlyList<NewTask> tasks) => new PrepareOperation(tasks);

    /// <summary>Collects the tasks in a turn, whose end inserts them.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="tasks">The tasks.</param>
    /// <param name="ids">Ids for those that have none of their own.</param>
    /// <param name="mayExist">Whether those ids may have been used before: by a turn whose answer was lost.</param>
    /// <param name="known">Ids that are known to be live or finished.</param>
    internal NewRows Collect(
        Turn turn, IReadOnlyList<NewTask> tasks, long[] ids, bool mayExist, IReadOnlySet<long>? known = null)
    {
        var rows = turn.Rows(() => new NewRows(this));
        var next = 0;
        foreach (var task in tasks)
        {
            var id = task.Id?.Value ?? ids[next++];
            if (known?.Contains(id) == true)
            {
                continue;
            }

            if (task.UniqueKey is { } key)
            {
                rows.AddUnique(task, key, id);
            }
            else if (mayExist || task.Id is not null)
            {
                rows.AddKnown(task, id);
            }
            else
            {
                rows.AddNew(turn, task, id);
            }
        }

        return rows;
    }

    /// <summary>What became of each task, after the statements have run.</summary>
    /// <param name="rows">Where they were collected; null when all are known.</param>
    /// <param name="tasks">The tasks.</param>
    /// <param name="ids">Ids for those that have none of their own.</param>
    /// <param name="known">Ids that were known to be live or finished, and were not collected.</param>
    /// <returns>One with the id 0 lost the race for its unique key, and the key is free again: try again.</returns>
    internal static EnqueuedTask[] AnswersOf(
        NewRows? rows, IReadOnlyList<NewTask> tasks, long[] ids, IReadOnlySet<long>? known = null)
    {
        var answers = new EnqueuedTask[tasks.Count];
        var next = 0;
        for (var i = 0; i < answers.Length; i++)
        {
            var task = tasks[i];
            var id = task.Id?.Value ?? ids[next++];
            answers[i] = rows is null || known?.Contains(id) == true ? new EnqueuedTask { Id = new TaskId(id), IsNew = false }
                : task.UniqueKey is { } key ? rows.HolderOf(task, key, id)
                : new EnqueuedTask { Id = new TaskId(id), IsNew = task.Id is null || rows.TakeInserted(id) };
        }

        return answers;
    }

    /// <summary>
    /// Misuse, if one of the ids that callers gave was never given out: then none of the tasks is inserted.
    /// </summary>
    private static ArgumentException? MisuseOf(Turn turn, IReadOnlyList<NewTask> tasks)
    {
        foreach (var task in tasks)
        {
            if (task.Id is { Value: var given } && (given < 1 || given >= turn.Session.GivenBelow))
            {
                return Arguments.NeverGiven(given);
            }
        }

        return null;
    }

    private static long LargestGivenIdOf(IReadOnlyList<NewTask> tasks)
    {
        var largest = 0L;
        foreach (var task in tasks)
        {
            largest = Math.Max(largest, task.Id?.Value ?? 0);
        }

        return largest;
    }

    private static int NewIdsOf(IReadOnlyList<NewTask> tasks)
    {
        var count = 0;
        foreach (var task in tasks)
        {
            count += task.Id is null ? 1 : 0;
        }

        return count;
    }

    internal static long BytesOf(IReadOnlyList<NewTask> tasks)
    {
        var bytes = 0L;
        foreach (var task in tasks)
        {
            bytes += task.Payload.Length + (task.Headers?.Length ?? 0);
        }

        return bytes;
    }

    private static IEnumerable<string> NamesOf(IReadOnlyList<NewTask> tasks)
    {
        foreach (var task in tasks)
        {
            yield return task.Queue;
            yield return task.Name;
        }
    }

    private abstract class IdOperation<TResult> : Operation<Turn, TResult>, IUsesIds
    {
        internal override TurnStage Stage => TurnStage.Enqueue;

        public abstract int NewIds { get; }

        public virtual long LargestGivenId => 0;

        public bool HasIds => Ids.Length > 0;

        protected long[] Ids { get; private set; } = [];

        public void GiveIds(long[] ids) => Ids = ids;

        public void ForgetIds() => Ids = [];
    }

    private sealed class EnqueueOperation(Enqueuing enqueuing, IReadOnlyList<NewTask> tasks)
        : IdOperation<IReadOnlyList<EnqueuedTask>>, IUsesNames, ILocksTasks
    {
        private NewRows? _rows;

        internal override int Rows => tasks.Count;

        public override int NewIds { get; } = NewIdsOf(tasks);

        public override long LargestGivenId { get; } = LargestGivenIdOf(tasks);

        public IEnumerable<string> Names => NamesOf(tasks);

        internal override long Bytes { get; } = BytesOf(tasks);

        public IEnumerable<long> LockedIds =>
            tasks.Select(task => task.Id?.Value).OfType<long>().Select(IdLocks.LockOf).Distinct();

        public IEnumerable<long> LockedKeys =>
            tasks.Where(task => task.UniqueKey is not null).Select(UniqueKeys.LockOf).Distinct();

        internal override void Run(Turn turn)
        {
            Refusal = LargestGivenId == 0 && NewIds == tasks.Count ? null : MisuseOf(turn, tasks);
            _rows = Refusal is null ? enqueuing.Collect(turn, tasks, Ids, MayBeDone) : null;
        }

        internal override bool Complete()
        {
            if (Refusal is null)
            {
                var answers = AnswersOf(_rows, tasks, Ids);
                if (Array.Exists(answers, one => one.Id == default))
                {
                    RunAgain();
                    return false;
                }

                Result = answers;
            }

            return base.Complete();
        }

        /// <summary>
        /// A task that held a key ended while it was looked for: the key is free, and is asked for again.
        /// </summary>
        private void RunAgain()
        {
            NoteOutcomeUnknown();
            if (!enqueuing.TryAddAgain(this))
            {
                Fail(Inbox.Disposed());
            }
        }
    }

    private bool TryAddAgain(Operation<Turn> operation) => inbox.TryAdd(operation);

    private sealed class PrepareOperation(IReadOnlyList<NewTask> tasks) : IdOperation<PreparedTasks>, IUsesNames
    {
        internal override int Rows => 0;

        public override int NewIds { get; } = NewIdsOf(tasks);

        public override long LargestGivenId { get; } = LargestGivenIdOf(tasks);

        public IEnumerable<string> Names => NamesOf(tasks);

        internal override void Run(Turn turn)
        {
            Refusal = MisuseOf(turn, tasks);
            Result = new PreparedTasks(turn.Session, Ids);
        }
    }

    private sealed class NewIdOperation : IdOperation<long>
    {
        public override int NewIds => 1;

        internal override void Run(Turn turn) => Result = Ids[0];
    }
}
