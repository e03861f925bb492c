namespace Errand.Sqlite.Inspect;

/// <summary>
/// What an operator sees: counts, live workers, and what waits in vain. Reads alone, in one snapshot.
/// </summary>
internal sealed class Overview(WorkerList workers)
{
    internal Operation<Turn, QueueOverview> Take() => new OverviewOperation(this);

    private QueueOverview Take(Turn snapshot)
    {
        var live = workers.Live(snapshot);
        return new QueueOverview
        {
            Counts = Counts(snapshot),
            PausedQueues = Pauses.PausedQueues(snapshot),
            LiveWorkers = live.Count,
            OldestWaiting = OldestWaiting(snapshot),
            Unclaimed = Unclaimed(snapshot, WorkerList.KnownNames(snapshot, live)),
        };
    }

    // Pending and scheduled tasks are counted in their own indexes alone, the few that run by their index, and as many
    // finished ones as a page or two hold. language=sqlite
    private const string CountsSql = """
        select   queue, 10 as state, count(*) from errand_tasks where state = 10 group by queue
        union all
        select   queue, 11, count(*) from errand_tasks where state = 11 group by queue
        union all
        select   queue, 12, count(*) from errand_tasks where state = 12 group by queue
        union all
        select   queue, state, count(*)
        from     (select queue, state from errand_finished order by id desc limit @finished)
        group by queue, state
        """;

    private static QueueCount[] Counts(Turn snapshot)
    {
        List<QueueCount> counts = [];
        var rows = snapshot.Statement(CountsSql).With(QueueOverview.FinishedLimit);
        while (rows.Step())
        {
            counts.Add(new QueueCount
            {
                Queue = snapshot.TextOf(rows.Int64(0)), State = (TaskState)rows.Int32(1), Tasks = rows.Int64(2),
            });
        }

        return [.. counts.OrderBy(count => count.Queue, StringComparer.Ordinal).ThenBy(count => count.State)];
    }

    // language=sqlite
    private const string OldestPendingSql = "select min(due) from errand_tasks where state = 10";

    private static TimeSpan? OldestWaiting(Turn snapshot)
    {
        var pending = snapshot.Statement(OldestPendingSql).Scalar();
        var scheduled = snapshot.Statement(Promotion.NextDueSql).Scalar(); // Due but not yet promoted, when no worker asks.
        var oldest = Math.Min(pending ?? long.MaxValue, scheduled ?? long.MaxValue);
        return oldest <= snapshot.Now ? TimeSpan.FromMilliseconds(snapshot.Now - oldest) : null;
    }

    // language=sqlite
    private const string CountNamesSql = """
        select   name, count(*)
        from     (select name from errand_tasks where queue = @queue and state = 10 order by name limit @limit)
        group by name
        """;

    // Parked tasks are due within the time of parking; beyond it nothing is waited for in vain. language=sqlite
    private const string CountScheduledNamesSql = """
        select   name, count(*)
        from     (
            select   name
            from     errand_tasks
            where    state = 11 and due <= @until and (due <= @now or parked = 1)
            order by due
            limit    @limit)
        group by name
        """;

    private static UnclaimedTasks[] Unclaimed(Turn snapshot, HashSet<long> known)
    {
        Dictionary<long, long> unclaimed = [];
        foreach (var queue in Pauses.ReadyQueues(snapshot))
        {
            Add(snapshot.Statement(CountNamesSql).With(queue).With(QueueOverview.UnclaimedLimit));
        }

        Add(snapshot.Statement(CountScheduledNamesSql)
            .With(snapshot.Now + (long)Defaults.UnknownNameParking.TotalMilliseconds).With(snapshot.Now).With(QueueOverview.UnclaimedLimit));
        return
        [
            .. unclaimed
                .Select(count => new UnclaimedTasks { Name = snapshot.TextOf(count.Key), Tasks = count.Value })
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

    private sealed class OverviewOperation(Overview overview) : Operation<Turn, QueueOverview>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(overview.Take);
    }
}
