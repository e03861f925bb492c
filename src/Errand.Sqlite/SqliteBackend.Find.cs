using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Find: all that is known of one task, and why it does not run.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<TaskDetails?> FindAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new FindOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<TaskExplanation> ExplainAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new ExplainOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    private TaskDetails? FindDetails(long id) => FindLive(id) ?? FindFinished(id);

    // language=sqlite
    private const string FindLiveSql = """
        select state, queue, name, priority, attempt, epoch, enqueued, due, started, max_attempts, timeout, expires, unique_key,
               owner, cancelled, parked, payload
        from   tasks
        where  id = @id
        """;

    private TaskDetails? FindLive(long id)
    {
        var row = Database.Statement(FindLiveSql).With(id);
        if (!row.Step())
        {
            return null;
        }

        var state = (TaskState)row.Int32(0);
        var details = new TaskDetails
        {
            Id = new TaskId(id),
            State = state,
            Queue = _names.TextOf(Database, row.Int64(1)),
            Name = _names.TextOf(Database, row.Int64(2)),
            Priority = row.Int32(3),
            Attempt = row.Int32(4),
            Epoch = row.Int64(5),
            EnqueuedAt = TimeOf(row.Int64(6)),
            DueAt = TimeOf(row.Int64(7)),
            StartedAt = row.Int64(5) > 0 ? TimeOf(row.Int64(8)) : null,
            MaxAttempts = row.Int32(9),
            Timeout = row.IsNull(10) ? null : TimeSpan.FromMilliseconds(row.Int64(10)),
            ExpiresAt = row.IsNull(11) ? null : TimeOf(row.Int64(11)),
            UniqueKey = row.IsNull(12) ? null : row.Text(12),
            Worker = state == TaskState.Running ? new WorkerId(row.Int64(13)) : null,
            IsCancelRequested = state == TaskState.Running && !row.IsNull(14),
            IsParked = state == TaskState.Scheduled && !row.IsNull(15),
            Payload = row.Blob(16),
            Progress = FindProgress(id),
            History = FindHistory(id),
        };
        row.Reset();
        return details;
    }

    // language=sqlite
    private const string FindFinishedSql = """
        select state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, max_attempts, timeout, unique_key,
               result, error, payload
        from   finished
        where  id = @id
        """;

    private TaskDetails? FindFinished(long id)
    {
        var row = Database.Statement(FindFinishedSql).With(id);
        if (!row.Step())
        {
            return null;
        }

        var details = new TaskDetails
        {
            Id = new TaskId(id),
            State = (TaskState)row.Int32(0),
            Queue = _names.TextOf(Database, row.Int64(1)),
            Name = _names.TextOf(Database, row.Int64(2)),
            Priority = row.Int32(3),
            Attempt = row.Int32(4),
            Epoch = row.Int64(5),
            EnqueuedAt = TimeOf(row.Int64(6)),
            DueAt = TimeOf(row.Int64(7)),
            StartedAt = row.Int64(5) > 0 ? TimeOf(row.Int64(8)) : null,
            FinishedAt = TimeOf(row.Int64(9)),
            MaxAttempts = row.IsNull(10) ? null : row.Int32(10),
            Timeout = row.IsNull(11) ? null : TimeSpan.FromMilliseconds(row.Int64(11)),
            UniqueKey = row.IsNull(12) ? null : row.Text(12),
            Result = row.IsNull(13) ? default : row.Blob(13),
            Error = row.IsNull(14) ? null : row.Text(14),
            Payload = row.IsNull(15) ? default : row.Blob(15),
            Progress = FindProgress(id),
            History = FindHistory(id),
        };
        row.Reset();
        return details;
    }

    // A row without a time holds a checkpoint alone. language=sqlite
    private const string FindProgressSql =
        "select fraction, message, reported from progress where task = @task and reported is not null";

    private TaskProgress? FindProgress(long id)
    {
        var row = Database.Statement(FindProgressSql).With(id);
        var progress = row.Step()
            ? new TaskProgress
            {
                Fraction = row.IsNull(0) ? null : row.Double(0),
                Message = row.IsNull(1) ? null : row.Text(1),
                ReportedAt = TimeOf(row.Int64(2)),
            }
            : null;
        row.Reset();
        return progress;
    }

    // language=sqlite
    private const string FindHistorySql = """
        select   attempt, epoch, started, ended, worker, error
        from     attempts
        where    task = @task
        order by epoch desc
        limit    @kept
        """;

    private List<TaskAttempt> FindHistory(long id)
    {
        List<TaskAttempt> history = [];
        var rows = Database.Statement(FindHistorySql).With(id).With(Defaults.AttemptsKept);
        while (rows.Step())
        {
            history.Add(new TaskAttempt
            {
                Attempt = rows.Int32(0),
                Epoch = rows.Int64(1),
                StartedAt = TimeOf(rows.Int64(2)),
                EndedAt = TimeOf(rows.Int64(3)),
                Worker = rows.Int64(4) is var worker and not 0 ? new WorkerId(worker) : null,
                Error = rows.Text(5),
            });
        }

        history.Reverse();
        return history;
    }

    private TaskExplanation Explain(long id)
    {
        var task = FindDetails(id) ?? throw new TaskNotFoundException(new TaskId(id));
        return TaskExplanation.Of(task, FindWorkers(), PausedQueues().Contains(task.Queue, StringComparer.Ordinal), TimeOf(_now));
    }

    private sealed class FindOperation(SqliteBackend backend, long id) : Operation<TaskDetails?>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(() => backend.FindDetails(id));
    }

    private sealed class ExplainOperation(SqliteBackend backend, long id) : Operation<TaskExplanation>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(() => backend.Explain(id));
    }
}
