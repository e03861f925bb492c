using System.Text;
using Npgsql;

namespace Errand.PostgreSql.Settle;

/// <summary>How tasks ended: callers that wait for one are told after the turn that ends it.</summary>
internal sealed class Results(IInbox<Turn> inbox, TimeProvider time, Sessions sessions) : ResultWaits<Turn>(inbox, time)
{
    /// <summary>As many as a look for the work of others asks for one by one.</summary>
    private const int AskedSingly = 64;

    /// <summary>How long before the last look a task may have ended whose commit that look did not see, in ms.</summary>
    private const long CommitMargin = 2_000;

    private readonly Queue<long> _unasked = new(); // Of those that are waited for: not asked for since others wrote.
    private bool _isLookForOthers; // The search that follows is one for what others have ended.
    private long _readAt; // The server's time of the last such search among many; 0 when all must be asked for.

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
        select f.id, f.state, coalesce(n.text, '?'), coalesce(q.text, '?'), f.attempt, f.enqueued, f.finished, f.result, f.error
        from   errand.errand_finished f
        left join errand.errand_names n on n.id = f.name
        left join errand.errand_names q on q.id = f.queue
        where  f.id = any(@ids)
        union all
        select id, state, '', '', attempt, enqueued, 0, null, null
        from   errand.errand_tasks
        where  id = any(@ids)
        """;

    /// <summary>Not in a turn: these statements can be run again at will when a connection is lost.</summary>
    protected override async ValueTask<Dictionary<long, TaskResult?>> FindAsync(Turn reader, IReadOnlyList<long> ids)
    {
        if (_isLookForOthers)
        {
            _isLookForOthers = false;
            if (ids.Count > AskedSingly)
            {
                return await FindAmongManyAsync(ids).ConfigureAwait(false);
            }

            _readAt = 0;
        }

        return await FindEachAsync(ids).ConfigureAwait(false);
    }

    protected override IReadOnlyCollection<long> MayHaveEnded(Turn reader, IReadOnlyCollection<long> waiting)
    {
        _isLookForOthers = true;
        return waiting;
    }

    // language=postgresql
    private const string RecentlyFinishedSql = """
        select clock.now, f.id
        from   (select errand.errand_now_ms(null) as now offset 0) as clock
        left join errand.errand_finished f
               on f.state = any(array[20, 21, 22, 23]) and f.finished >= @since
        """;

    /// <summary>
    /// Thousands may be waited for while others commit hundreds of times a second. So the newest finished tasks are read
    /// instead, and a few of those that are waited for are asked for in their turn: a task may have been removed.
    /// </summary>
    private async ValueTask<Dictionary<long, TaskResult?>> FindAmongManyAsync(IReadOnlyList<long> ids)
    {
        if (_readAt == 0)
        {
            await ReadRecentAsync(long.MaxValue).ConfigureAwait(false);
            return await FindEachAsync(ids).ConfigureAwait(false);
        }

        var recent = await ReadRecentAsync(_readAt - CommitMargin).ConfigureAwait(false);
        HashSet<long> asked = [.. ids.Where(recent.Contains)];
        if (_unasked.Count == 0)
        {
            foreach (var id in ids)
            {
                _unasked.Enqueue(id);
            }
        }

        while (asked.Count < AskedSingly && _unasked.TryDequeue(out var id))
        {
            asked.Add(id);
        }

        var found = await FindEachAsync([.. asked]).ConfigureAwait(false);
        foreach (var id in ids.Where(id => !asked.Contains(id)))
        {
            found.Add(id, null); // It lives, as far as is known.
        }

        return found;
    }

    private async Task<HashSet<long>> ReadRecentAsync(long since)
    {
        HashSet<long> recent = [];
        await sessions.RunAloneAsync((_, batch) => batch
            .Add(RecentlyFinishedSql, row =>
            {
                _readAt = row.GetInt64(0);
                if (!row.IsDBNull(1))
                {
                    recent.Add(row.GetInt64(1));
                }
            })
            .With("since", since)).ConfigureAwait(false);
        return recent;
    }

    private async Task<Dictionary<long, TaskResult?>> FindEachAsync(IReadOnlyList<long> ids)
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
