using System.Text;
using Npgsql;

namespace Errand.PostgreSql.Inspect;

/// <summary>All that is known of one task, and why it does not run.</summary>
internal sealed class TaskLookup(StoreClock clock, WorkerList workers)
{
    // language=postgresql
    private const string FindLiveSql = """
        select t.state, coalesce(q.text, '?'), coalesce(n.text, '?'), ~t.rank, t.attempt, t.epoch, t.enqueued, t.due, t.started, t.max_attempts,
               t.timeout, t.expires, t.unique_key, t.owner, t.cancelled, t.parked, t.headers, t.payload
        from   errand.errand_tasks t
        left join errand.errand_names q on q.id = t.queue
        left join errand.errand_names n on n.id = t.name
        where  t.id = @id
        """;

    private static TaskDetails ReadLive(NpgsqlDataReader row, long id)
    {
        var state = (TaskState)row.GetInt16(0);
        return new TaskDetails
        {
            Id = new TaskId(id),
            State = state,
            Queue = row.GetString(1),
            Name = row.GetString(2),
            Priority = row.GetInt32(3),
            Attempt = row.GetInt32(4),
            Epoch = row.GetInt64(5),
            EnqueuedAt = Times.Of(row.GetInt64(6)),
            DueAt = Times.Of(row.GetInt64(7)),
            StartedAt = row.GetInt64(5) > 0 ? Times.Of(row.GetInt64(8)) : null,
            MaxAttempts = row.GetInt32(9),
            Timeout = row.IsDBNull(10) ? null : TimeSpan.FromMilliseconds(row.GetInt64(10)),
            ExpiresAt = row.IsDBNull(11) ? null : Times.Of(row.GetInt64(11)),
            UniqueKey = row.IsDBNull(12) ? null : row.GetString(12),
            Worker = state == TaskState.Running ? new WorkerId(row.GetInt64(13)) : null,
            IsCancelRequested = state == TaskState.Running && !row.IsDBNull(14),
            IsParked = state == TaskState.Scheduled && !row.IsDBNull(15),
            Headers = TaskHeaders.Read(row.IsDBNull(16) ? null : row.GetString(16)),
            Payload = row.GetFieldValue<byte[]>(17),
        };
    }

    // language=postgresql
    private const string FindFinishedSql = """
        select f.state, coalesce(q.text, '?'), coalesce(n.text, '?'), ~f.rank, f.attempt, f.epoch, f.enqueued, f.due, f.started, f.finished,
               f.max_attempts, f.timeout, f.unique_key, f.result, f.error, f.headers, f.payload
        from   errand.errand_finished f
        left join errand.errand_names q on q.id = f.queue
        left join errand.errand_names n on n.id = f.name
        where  f.id = @id
        """;

    private static TaskDetails ReadFinished(NpgsqlDataReader row, long id) => new()
    {
        Id = new TaskId(id),
        State = (TaskState)row.GetInt16(0),
        Queue = row.GetString(1),
        Name = row.GetString(2),
        Priority = row.GetInt32(3),
        Attempt = row.GetInt32(4),
        Epoch = row.GetInt64(5),
        EnqueuedAt = Times.Of(row.GetInt64(6)),
        DueAt = Times.Of(row.GetInt64(7)),
        StartedAt = row.GetInt64(5) > 0 ? Times.Of(row.GetInt64(8)) : null,
        FinishedAt = Times.Of(row.GetInt64(9)),
        MaxAttempts = row.IsDBNull(10) ? null : row.GetInt32(10),
        Timeout = row.IsDBNull(11) ? null : TimeSpan.FromMilliseconds(row.GetInt64(11)),
        UniqueKey = row.IsDBNull(12) ? null : row.GetString(12),
        Result = row.IsDBNull(13) ? default : row.GetFieldValue<byte[]>(13),
        Error = row.IsDBNull(14) ? null : Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(14)),
        Headers = TaskHeaders.Read(row.IsDBNull(15) ? null : row.GetString(15)),
        Payload = row.IsDBNull(16) ? default : row.GetFieldValue<byte[]>(16),
    };

    internal static async Task<TaskDetails?> FindAsync(Snapshot snapshot, long id)
    {
        TaskDetails? details = null;
        TaskProgress? progress = null;
        string? log = null;
        List<TaskAttempt> history = [];
        await snapshot.RunAsync(batch => batch
            .Add(FindLiveSql, row => details = ReadLive(row, id)).With("id", id)
            .Add(FindFinishedSql, row => details = ReadFinished(row, id)).With("id", id)
            .Add(Settle.Progress.FindProgressSql, row => progress = new TaskProgress
            {
                Fraction = row.IsDBNull(0) ? null : row.GetDouble(0),
                Message = row.IsDBNull(1) ? null : row.GetString(1),
                ReportedAt = Times.Of(row.GetInt64(2)),
            })
            .With("task", id)
            .Add(Attempts.FindHistorySql, row => history.Insert(0, new TaskAttempt
            {
                Attempt = row.GetInt32(0),
                Epoch = row.GetInt64(1),
                StartedAt = Times.Of(row.GetInt64(2)),
                EndedAt = Times.Of(row.GetInt64(3)),
                Worker = row.GetInt64(4) is var worker and not 0 ? new WorkerId(worker) : null,
                Error = Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(5)),
                Log = row.IsDBNull(6) ? null : Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(6)),
            }))
            .With("task", id).With("kept", Defaults.AttemptsKept)
            .Add(AttemptLogs.FindLogSql, row =>
            {
                if (row.GetInt64(0) == details?.Epoch)
                {
                    log = Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(1));
                }
            })
            .With("task", id)).ConfigureAwait(false);
        return details is null ? null : details with { Progress = progress, Log = log, History = history };
    }

    // language=postgresql
    private const string NowSql = "select errand.errand_now_ms(@now)";

    internal async Task<TaskExplanation> ExplainAsync(Snapshot snapshot, long id)
    {
        var task = await FindAsync(snapshot, id).ConfigureAwait(false) ?? throw new TaskNotFoundException(new TaskId(id));
        var registered = await workers.ListAsync(snapshot).ConfigureAwait(false);
        var isPaused = false;
        var now = 0L;
        await snapshot.RunAsync(batch => batch
            .Add(Pauses.SelectPausedSql, row => isPaused |= row.GetString(0) == task.Queue)
            .Add(NowSql, row => now = row.GetInt64(0)).With("now", clock.TestNow)).ConfigureAwait(false);
        return TaskExplanation.Of(task, registered, isPaused, Times.Of(now));
    }
}
