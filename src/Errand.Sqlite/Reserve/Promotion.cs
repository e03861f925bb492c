namespace Errand.Sqlite.Reserve;

/// <summary>
/// Scheduled tasks become pending when their time has come: only when a worker waits, since nobody else can tell.
/// </summary>
internal sealed class Promotion(WaitingWorkers<Turn, Waiting> waiting) : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    /// <summary>Priorities that one turn looks at, at most.</summary>
    private const int PrioritiesInTurn = 500;

    private long _next = Unknown; // The due time of the first scheduled task; long.MaxValue for none.

    internal override Moments Hears =>
        Moments.Doubted | Moments.Plan | Moments.HasWork | Moments.Settled | Moments.Committed | Moments.Inserted | Moments.WaitsAgain;

    internal override void Doubted(Doubt why) => _next = why == Doubt.Polled ? _next : Unknown;

    internal override void Inserted(Turn turn, NewTask task, long id, TaskState state, long due)
    {
        if (state == TaskState.Scheduled)
        {
            turn.Effects.Expect(this, due);
        }
    }

    internal override void WaitsAgain(Turn turn, long due)
    {
        if (due > turn.Now)
        {
            turn.Effects.Expect(this, due);
        }
    }

    internal override void Committed(Effects effects) => _next = Math.Min(_next, effects.ExpectedBy(this));

    // A worker without a free slot is not woken for: the settlement that frees one is a turn of its own.
    internal override void Plan(Agenda agenda)
    {
        if (_next != long.MaxValue && HasRoom)
        {
            agenda.At(_next);
        }
    }

    internal override bool HasWork(long now) => _next <= now && HasRoom;

    /// <summary>Whether a task is due, or not known when the next will be. Others may have put one before it, so this looks.</summary>
    internal bool IsDue(Turn reader)
    {
        if (HasWork(reader.Now) || !HasRoom)
        {
            return HasRoom;
        }

        _next = reader.Statement(NextDueSql).Scalar() ?? long.MaxValue;
        return _next <= reader.Now;
    }

    // language=sqlite
    private const string PromoteSql = """
        update errand_tasks
        set    state = 10, parked = null
        where  id in (select id from errand_tasks where state = 11 and due <= @now order by due limit @count)
        """;

    // language=sqlite
    internal const string NextDueSql = "select due from errand_tasks where state = 11 order by due limit 1";

    // language=sqlite
    private const string HasMoreDueSql = "select 1 from errand_tasks where state = 11 and due <= @now limit 1 offset @count";

    internal override void Settled(Turn turn)
    {
        if (waiting.Count == 0 || _next > turn.Now)
        {
            return;
        }

        if (turn.Statement(HasMoreDueSql).With(turn.Now).With(PromotionBatch).Scalar() is not null)
        {
            PromoteFirst(turn);
        }
        else if (turn.Statement(PromoteSql).With(turn.Now).With(PromotionBatch).Execute() > 0)
        {
            turn.Effects.ReadyHere(); // Other processes see the time come by themselves.
        }

        _next = turn.Statement(NextDueSql).Scalar() ?? long.MaxValue;
    }

    // language=sqlite
    private const string NextPrioritySql = """
        select priority from errand_tasks where state = 11 and priority <= @priority order by priority desc limit 1
        """;

    // language=sqlite
    private const string PromotePrioritySql = """
        update errand_tasks
        set    state = 10, parked = null
        where  id in (
            select   id
            from     errand_tasks
            where    state = 11 and priority = @priority and due <= @now
            order by due, id
            limit    @count)
        """;

    /// <summary>
    /// More are due than one turn promotes: the highest priority comes first. Where a great many priorities have
    /// nothing due, the rest of the turn takes what has been due longest.
    /// </summary>
    private static void PromoteFirst(Turn turn)
    {
        var left = PromotionBatch;
        var priority = turn.Statement(NextPrioritySql).With(int.MaxValue).Scalar();
        for (var looked = 0; left > 0 && looked < PrioritiesInTurn && priority is { } next; looked++)
        {
            left -= turn.Statement(PromotePrioritySql).With(next).With(turn.Now).With(left).Execute();
            priority = turn.Statement(NextPrioritySql).With(next - 1).Scalar();
        }

        if (left > 0)
        {
            turn.Statement(PromoteSql).With(turn.Now).With(left).Execute();
        }

        turn.Effects.ReadyHere();
    }

    private bool HasRoom
    {
        get
        {
            foreach (var worker in waiting)
            {
                if (worker.HasRoom)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
