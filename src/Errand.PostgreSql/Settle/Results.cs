using System.Text;
using Npgsql;

namespace Errand.PostgreSql.Settle;

/// <summary>How tasks ended: callers that wait for one are told after the turn that ends it.</summary>
internal sealed class Results(IInbox<Turn> inbox, TimeProvider time, Sessions sessions) : ResultWaits<Turn>(inbox, time)
{
    /// <summary>Others may have ended tasks while there was no connection.</summary>
    internal override void Doubted(Doubt why)
    {
        if (why is Doubt.Opened or Doubt.Polled)
        {
            LookAgain();
        }
    }

    // Both tables in one statement, which is one snapshot: between two, a task could move from one to the other, and it
    // would be in neither. language=postgresql
    private const string FindTasksSql = """
        select f.id, f.state, n.text, q.text, f.attempt, f.enqueued, f.finished, f.result, f.error
        from   errand.errand_finished f
        join   errand.errand_names n on n.id = f.name
        join   errand.errand_names q on q.id = f.queue
        where  f.id = any(@ids)
        union all
        select id, state, '', '', attempt, enqueued, 0, null, null
        from   errand.errand_tasks
        where  id = any(@ids)
        """;

    /// <summary>Not in a turn: these statements can be run again at will when a connection is lost.</summary>
    protected override async ValueTask<Dictionary<long, TaskResult?>> FindAsync(Turn reader, IReadOnlyList<long> ids)
    {
        Dictionary<long, TaskResult?> found = [];
        await sessions.RunAloneAsync((_, batch) =>
            batch.Add(FindTasksSql, row => found[row.GetInt64(0)] = Read(row)).With("ids", ids.ToArray()))
                .ConfigureAwait(false);
        return found;
    }

    private static TaskResult? Read(NpgsqlDataReader row)
    {
        if (row.GetInt16(1) < (int)TaskState.Succeeded)
        {
            return null;
        }

        return new TaskResult
        {
            Id = new TaskId(row.GetInt64(0)),
            State = (TaskState)row.GetInt16(1),
            Name = row.GetString(2),
            Queue = row.GetString(3),
            Attempts = row.GetInt32(4),
            EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(5)),
            FinishedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)),
            Value = row.IsDBNull(7) ? default : row.GetFieldValue<byte[]>(7),
            Error = row.IsDBNull(8) ? null : Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(8)),
        };
    }
}
