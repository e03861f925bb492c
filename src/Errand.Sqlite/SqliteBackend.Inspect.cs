using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>What an operator sees: counts, live workers, and what waits in vain. Reads alone, in one snapshot.</summary>
public sealed partial class SqliteBackend
{
    private readonly WorkerWatch _inspected = new(); // Of workers of other backends, from one overview to the next.
    private long _lastOverview;

    /// <inheritdoc/>
    public async ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default) =>
        await SubmitAsync(new OverviewOperation(this), cancellationToken).ConfigureAwait(false);

    private T InSnapshot<T>(Func<T> read)
    {
        Database.Statement("begin").Execute(); // Deferred: a snapshot that holds nobody up.
        try
        {
            return read();
        }
        finally
        {
            if (Database.IsInTransaction)
            {
                Database.Statement("rollback").Execute(); // Nothing was written: it only ends the snapshot.
            }
        }
    }

    private QueueOverview TakeOverview()
    {
        var live = LiveWorkers();
        return new QueueOverview
        {
            Counts = Counts(),
            PausedQueues = PausedQueues(),
            LiveWorkers = live.Count,
            OldestWaiting = OldestWaiting(),
            Unclaimed = Unclaimed(KnownNames(live)),
        };
    }

    // Pending and scheduled tasks are counted in their own indexes alone, the few that run by their index, and as many finished
    // ones as a page or two hold. language=sqlite
    private const string CountsSql = """
        select   queue, 10 as state, count(*) from tasks where state = 10 group by queue
        union all
        select   queue, 11, count(*) from tasks where state = 11 group by queue
        union all
        select   queue, 12, count(*) from tasks where state = 12 group by queue
        union all
        select   queue, state, count(*)
        from     (select queue, state from finished order by id desc limit @finished)
        group by queue, state
        """;

    private QueueCount[] Counts()
    {
        List<QueueCount> counts = [];
        var rows = Database.Statement(CountsSql).With(QueueOverview.FinishedLimit);
        while (rows.Step())
        {
            counts.Add(new QueueCount
            {
                Queue = _names.TextOf(Database, rows.Int64(0)), State = (TaskState)rows.Int32(1), Tasks = rows.Int64(2),
            });
        }

        return [.. counts.OrderBy(count => count.Queue, StringComparer.Ordinal).ThenBy(count => count.State)];
    }

    private string[] PausedQueues()
    {
        List<string> queues = [];
        var rows = Database.Statement(SelectPausedSql);
        while (rows.Step())
        {
            queues.Add(_names.TextOf(Database, rows.Int64(0)));
        }

        queues.Sort(StringComparer.Ordinal);
        return [.. queues];
    }

    // language=sqlite
    private const string OldestPendingSql = "select min(due) from tasks where state = 10";

    private TimeSpan? OldestWaiting()
    {
        var pending = Database.Statement(OldestPendingSql).Scalar();
        var scheduled = Database.Statement(NextDueSql).Scalar(); // Due but not yet promoted, when no worker asks.
        var oldest = Math.Min(pending ?? long.MaxValue, scheduled ?? long.MaxValue);
        return oldest <= _now ? TimeSpan.FromMilliseconds(_now - oldest) : null;
    }

    // language=sqlite
    private const string CountNamesSql = """
        select   name, count(*)
        from     (select name from tasks where queue = @queue and state = 10 order by priority desc, due limit @limit)
        group by name
        """;

    // Parked tasks are due within the time of parking; beyond it nothing is waited for in vain. language=sqlite
    private const string CountScheduledNamesSql = """
        select   name, count(*)
        from     (
            select   name
            from     tasks
            where    state = 11 and due <= @until and (due <= @now or parked = 1)
            order by due
            limit    @limit)
        group by name
        """;

    private UnclaimedTasks[] Unclaimed(HashSet<long> known)
    {
        Dictionary<long, long> unclaimed = [];
        foreach (var queue in ReadyQueues())
        {
            Add(Database.Statement(CountNamesSql).With(queue).With(QueueOverview.UnclaimedLimit));
        }

        Add(Database.Statement(CountScheduledNamesSql)
            .With(_now + (long)Defaults.UnknownNameParking.TotalMilliseconds).With(_now).With(QueueOverview.UnclaimedLimit));
        return
        [
            .. unclaimed
                .Select(count => new UnclaimedTasks { Name = _names.TextOf(Database, count.Key), Tasks = count.Value })
                .OrderByDescending(count => count.Tasks).ThenBy(count => count.Name, StringComparer.Ordinal),
        ];

        void Add(SqliteStatement counts)
        {
            while (counts.Step())
            {
                if (!known.Contains(counts.Int64(0)))
                {
                    unclaimed[counts.Int64(0)] = unclaimed.GetValueOrDefault(counts.Int64(0)) + counts.Int64(1);
                }
            }
        }
    }

    // language=sqlite
    private const string SelectWorkerNamesSql = "select name from worker_names where worker = @worker";

    private HashSet<long> KnownNames(List<long> workers)
    {
        HashSet<long> known = [];
        foreach (var worker in workers)
        {
            var rows = Database.Statement(SelectWorkerNamesSql).With(worker);
            while (rows.Step())
            {
                known.Add(rows.Int64(0));
            }
        }

        return known;
    }

    /// <summary>
    /// Only a process with a worker of its own sweeps the dead away, so an overview looks for itself: at the lock files, and
    /// whether a heartbeat has stood still for its lease, over the overviews that this backend has given.
    /// </summary>
    private List<long> LiveWorkers()
    {
        List<long> live = [];
        HashSet<long> others = [];
        var now = _time.GetTimestamp();
        var elapsed = _time.GetElapsedTime(_lastOverview, now);
        var rows = Database.Statement(SelectWorkersSql);
        while (rows.Step())
        {
            var owner = rows.Int64(0);
            if (_workers.ContainsKey(owner))
            {
                live.Add(owner);
                continue;
            }

            others.Add(owner);
            var expired = _inspected.HasExpired(owner, rows.Int64(1), TimeSpan.FromMilliseconds(rows.Int64(2)), elapsed);
            if (!expired && (_store.IsMemory || WorkerLockFile.Probe(_store.Path, owner) != WorkerLockFile.Liveness.Dead))
            {
                live.Add(owner);
            }
        }

        _inspected.Keep(others);
        _lastOverview = now;
        return live;
    }

    private sealed class OverviewOperation(SqliteBackend backend) : Operation<QueueOverview>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(backend.TakeOverview);
    }
}
