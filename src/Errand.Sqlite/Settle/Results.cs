namespace Errand.Sqlite.Settle;

/// <summary>Results: how tasks ended, for callers that ask and callers that wait.</summary>
internal sealed class Results(IInbox<Turn> inbox, TimeProvider time) : ResultWaits<Turn>(inbox, time)
{
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
            var row = reader.Statement(FindTaskSql).With(id);
            if (row.Step())
            {
                found[id] = Read(reader, row, id);
                row.Reset();
            }
        }

        return ValueTask.FromResult(found);
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
}
