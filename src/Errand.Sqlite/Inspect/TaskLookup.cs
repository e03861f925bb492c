namespace Errand.Sqlite.Inspect;

/// <summary>All that is known of one task, and why it does not run.</summary>
internal sealed class TaskLookup(WorkerList workers)
{
    internal static Operation<Turn, TaskDetails?> Find(long id) => new FindOperation(id);

    internal Operation<Turn, TaskExplanation> Explain(long id) => new ExplainOperation(workers, id);

    // language=sqlite
    private const string FindLiveSql = """
        select state, queue, name, priority, attempt, epoch, enqueued, due, started, max_attempts, timeout, expires, unique_key,
               owner, cancelled, parked, headers, payload
        from   errand_tasks
        where  id = @id
        """;

    private static TaskDetails? FindLive(Turn snapshot, long id)
    {
        var row = snapshot.Statement(FindLiveSql).With(id);
        if (!row.Step())
        {
            return null;
        }

        var state = (TaskState)row.Int32(0);
        var details = new TaskDetails
        {
            Id = new TaskId(id),
            State = state,
            Queue = snapshot.TextOf(row.Int64(1)),
            Name = snapshot.TextOf(row.Int64(2)),
            Priority = row.Int32(3),
            Attempt = row.Int32(4),
            Epoch = row.Int64(5),
            EnqueuedAt = row.Time(6),
            DueAt = row.Time(7),
            StartedAt = row.Int64(5) > 0 ? row.Time(8) : null,
            MaxAttempts = row.Int32(9),
            Timeout = row.IsNull(10) ? null : TimeSpan.FromMilliseconds(row.Int64(10)),
            ExpiresAt = row.IsNull(11) ? null : row.Time(11),
            UniqueKey = row.IsNull(12) ? null : row.Text(12),
            Worker = state == TaskState.Running ? new WorkerId(row.Int64(13)) : null,
            IsCancelRequested = state == TaskState.Running && !row.IsNull(14),
            IsParked = state == TaskState.Scheduled && !row.IsNull(15),
            Headers = TaskHeaders.Read(row.IsNull(16) ? null : row.Text(16)),
            Payload = row.Blob(17),
            Progress = Progress.Find(snapshot, id),
            Log = AttemptLogs.Find(snapshot, id, row.Int64(5)),
            History = Attempts.Find(snapshot, id),
        };
        row.Reset();
        return details;
    }

    // language=sqlite
    private const string FindFinishedSql = """
        select state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, max_attempts, timeout, unique_key,
               result, error, headers, payload
        from   errand_finished
        where  id = @id
        """;

    private static TaskDetails? FindFinished(Turn snapshot, long id)
    {
        var row = snapshot.Statement(FindFinishedSql).With(id);
        if (!row.Step())
        {
            return null;
        }

        var details = new TaskDetails
        {
            Id = new TaskId(id),
            State = (TaskState)row.Int32(0),
            Queue = snapshot.TextOf(row.Int64(1)),
            Name = snapshot.TextOf(row.Int64(2)),
            Priority = row.Int32(3),
            Attempt = row.Int32(4),
            Epoch = row.Int64(5),
            EnqueuedAt = row.Time(6),
            DueAt = row.Time(7),
            StartedAt = row.Int64(5) > 0 ? row.Time(8) : null,
            FinishedAt = row.Time(9),
            MaxAttempts = row.IsNull(10) ? null : row.Int32(10),
            Timeout = row.IsNull(11) ? null : TimeSpan.FromMilliseconds(row.Int64(11)),
            UniqueKey = row.IsNull(12) ? null : row.Text(12),
            Result = row.IsNull(13) ? default : row.Blob(13),
            Error = row.IsNull(14) ? null : row.Text(14),
            Headers = TaskHeaders.Read(row.IsNull(15) ? null : row.Text(15)),
            Payload = row.IsNull(16) ? default : row.Blob(16),
            Progress = Progress.Find(snapshot, id),
            Log = AttemptLogs.Find(snapshot, id, row.Int64(5)),
            History = Attempts.Find(snapshot, id),
        };
        row.Reset();
        return details;
    }

    private static TaskDetails? Find(Turn snapshot, long id) => FindLive(snapshot, id) ?? FindFinished(snapshot, id);

    private sealed class FindOperation(long id) : Operation<Turn, TaskDetails?>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(snapshot => TaskLookup.Find(snapshot, id));
    }

    private sealed class ExplainOperation(WorkerList workers, long id) : Operation<Turn, TaskExplanation>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            if (turn.InSnapshot(Explain) is { } explanation)
            {
                Result = explanation;
            }
            else
            {
                Refusal = new TaskNotFoundException(new TaskId(id));
            }
        }

        private TaskExplanation? Explain(Turn snapshot)
        {
            if (TaskLookup.Find(snapshot, id) is not { } task)
            {
                return null;
            }

            var isPaused = Pauses.PausedQueues(snapshot).Contains(task.Queue, StringComparer.Ordinal);
            return TaskExplanation.Of(task, workers.Find(snapshot), isPaused, DateTimeOffset.FromUnixTimeMilliseconds(snapshot.Now));
        }
    }
}
