namespace Errand.Sqlite.Inspect;

/// <summary>
/// What an operator sees: counts, live workers, and what waits in vain. Reads alone, in one snapshot.
/// </summary>
internal sealed class Overview(WorkerList workers)
{
    /// <summary>Pending tasks that are counted at most, over all queues but for <see cref="LeastOfQueue"/> of each.</summary>
    private const long PendingCounted = 50_000;

    private const long LeastOfQueue = 100;

    /// <summary>Places in the index of what is ready that are looked at, at most: one for each queue, name and priority.</summary>
    private const int Hops = 10_000;

    /// <summary>Scheduled tasks that are looked at, at most, for names that nobody knows.</summary>
    private const int ScheduledLookedAt = 10_000;

    internal Operation<Turn, QueueOverview> Take() => new OverviewOperation(this);

    internal static Operation<Turn, TimeSpan?> FindOldest() => new OldestOperation();

    private QueueOverview Take(Turn snapshot)
    {
        var live = workers.Live(snapshot);
        var counts = CountPending(snapshot);
        AddCounts(snapshot, snapshot.Statement(CountScheduledSql).With(QueueOverview.CountLimit), QueueOverview.CountLimit, counts);
        AddCounts(snapshot, snapshot.Statement(CountRunningSql).With(QueueOverview.CountLimit), QueueOverview.CountLimit, counts);
        AddCounts(snapshot, snapshot.Statement(CountFinishedSql).With(QueueOverview.FinishedLimit), QueueOverview.FinishedLimit, counts);
        return new QueueOverview
        {
            Counts = [.. counts.OrderBy(count => count.Queue, StringComparer.Ordinal).ThenBy(count => count.State)],
            PausedQueues = Pauses.PausedQueues(snapshot),
            LiveWorkers = live.Count,
            OldestWaiting = OldestWaiting(snapshot),
            Unclaimed = Unclaimed(snapshot, WorkerList.KnownNames(snapshot, live)),
        };
    }

    // language=sqlite
    private const string CountReadySql =
        "select count(*) from (select 1 from errand_tasks where queue = @queue and state = 10 limit @limit)";

    /// <summary>One hop in the index for each queue, and as many tasks as are counted of it.</summary>
    private static List<QueueCount> CountPending(Turn snapshot)
    {
        List<QueueCount> counts = [];
        var left = PendingCounted;
        for (var queue = ReadyQueues.NextQueue(snapshot, 0); queue is { } ready; queue = ReadyQueues.NextQueue(snapshot, ready + 1))
        {
            var limit = Math.Clamp(left, LeastOfQueue, QueueOverview.CountLimit);
            var tasks = snapshot.Statement(CountReadySql).With(ready).With(limit).Scalar().GetValueOrDefault();
            left -= tasks;
            counts.Add(new QueueCount
            {
                Queue = snapshot.TextOf(ready), State = TaskState.Pending, Tasks = tasks, IsAtLeast = tasks == limit,
            });
        }

        return counts;
    }

    // By the order of due times. language=sqlite
    private const string CountScheduledSql = """
        select   queue, 11, count(*)
        from     (select queue from errand_tasks where state = 11 order by due limit @limit)
        group by queue
        """;

    // language=sqlite
    private const string CountRunningSql = """
        select   queue, 12, count(*)
        from     (select queue from errand_tasks where state = 12 limit @limit)
        group by queue
        """;

    // The newest. language=sqlite
    private const string CountFinishedSql = """
        select   queue, state, count(*)
        from     (select queue, state from errand_finished order by id desc limit @limit)
        group by queue, state
        """;

    private static void AddCounts(Turn snapshot, SqliteStatement rows, long limit, List<QueueCount> counts)
    {
        var first = counts.Count;
        var all = 0L;
        while (rows.Step())
        {
            all += rows.Int64(2);
            counts.Add(new QueueCount
            {
                Queue = snapshot.TextOf(rows.Int64(0)), State = (TaskState)rows.Int32(1), Tasks = rows.Int64(2),
            });
        }

        for (var i = first; all >= limit && i < counts.Count; i++)
        {
            counts[i] = counts[i] with { IsAtLeast = true };
        }
    }

    // language=sqlite
    private const string OldestOfPrioritySql = """
        select   priority, due
        from     errand_tasks
        where    queue = @queue and name = @name and state = 10 and priority <= @priority
        order by priority desc, due
        limit    1
        """;

    /// <summary>Of each queue, name and priority the first that is due: the index has them in this order.</summary>
    private static TimeSpan? OldestWaiting(Turn snapshot)
    {
        // Due but not yet promoted, when no worker asks.
        var oldest = snapshot.Statement(Promotion.NextDueSql).Scalar() ?? long.MaxValue;
        var hops = Hops;
        for (var queue = ReadyQueues.NextQueue(snapshot, 0); queue is { } ready && hops > 0; queue = ReadyQueues.NextQueue(snapshot, ready + 1))
        {
            for (var name = ReadyTasks.NextName(snapshot, ready, 0); name is { } one && hops > 0; name = ReadyTasks.NextName(snapshot, ready, one + 1))
            {
                var row = snapshot.Statement(OldestOfPrioritySql).With(ready).With(one).With(int.MaxValue);
                while (hops-- > 0 && row.Step())
                {
                    var priority = row.Int64(0);
                    oldest = Math.Min(oldest, row.Int64(1));
                    row.Reset();
                    row.With(ready).With(one).With(priority - 1);
                }

                row.Reset();
            }
        }

        return oldest <= snapshot.Now ? TimeSpan.FromMilliseconds(snapshot.Now - oldest) : null;
    }

    // language=sqlite
    private const string CountNameSql =
        "select count(*) from (select 1 from errand_tasks where queue = @queue and name = @name and state = 10 limit @limit)";

    // Parked tasks are due within the time of parking; beyond it nothing is waited for in vain. language=sqlite
    private const string CountScheduledNamesSql = """
        select   name, count(*)
        from     (
            select name
            from   (select name, due, parked from errand_tasks where state = 11 and due <= @until order by due limit @looked)
            where  due <= @now or parked = 1
            limit  @limit)
        group by name
        """;

    private static UnclaimedTasks[] Unclaimed(Turn snapshot, HashSet<long> known)
    {
        Dictionary<long, long> unclaimed = [];
        var hops = Hops;
        for (var queue = ReadyQueues.NextQueue(snapshot, 0); queue is { } ready && hops > 0; queue = ReadyQueues.NextQueue(snapshot, ready + 1))
        {
            for (var name = ReadyTasks.NextName(snapshot, ready, 0); name is { } one && hops-- > 0; name = ReadyTasks.NextName(snapshot, ready, one + 1))
            {
                if (!known.Contains(one))
                {
                    Add(one, snapshot.Statement(CountNameSql).With(ready).With(one).With(QueueOverview.UnclaimedLimit).Scalar().GetValueOrDefault());
                }
            }
        }

        var scheduled = snapshot.Statement(CountScheduledNamesSql)
            .With(snapshot.Now + (long)Defaults.UnknownNameParking.TotalMilliseconds).With(ScheduledLookedAt).With(snapshot.Now)
            .With(QueueOverview.UnclaimedLimit);
        while (scheduled.Step())
        {
            if (!known.Contains(scheduled.Int64(0)))
            {
                Add(scheduled.Int64(0), scheduled.Int64(1));
            }
        }

        return
        [
            .. unclaimed
                .Select(count => new UnclaimedTasks { Name = snapshot.TextOf(count.Key), Tasks = count.Value })
                .OrderByDescending(count => count.Tasks).ThenBy(count => count.Name, StringComparer.Ordinal),
        ];

        void Add(long name, long tasks) => unclaimed[name] = unclaimed.GetValueOrDefault(name) + tasks;
    }

    private sealed class OverviewOperation(Overview overview) : Operation<Turn, QueueOverview>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(overview.Take);
    }

    private sealed class OldestOperation : Operation<Turn, TimeSpan?>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(OldestWaiting);
    }
}
