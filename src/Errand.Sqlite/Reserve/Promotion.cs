namespace Errand.Sqlite.Reserve;

/// <summary>
/// Scheduled tasks become pending when their time has come: only when a worker waits, since nobody else can tell.
/// </summary>
internal sealed class Promotion(WaitingWorkers<Turn, Waiting> waiting) : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

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

    // language=sqlite
    private const string PromoteSql = """
        update errand_tasks
        set    state = 10, parked = null
        where  id in (select id from errand_tasks where state = 11 and due <= @now order by due limit @count)
        """;

    // language=sqlite
    internal const string NextDueSql = "select due from errand_tasks where state = 11 order by due limit 1";

    internal override void Settled(Turn turn)
    {
        if (waiting.Count == 0 || _next > turn.Now)
        {
            return;
        }

        // The same wait, found by another index from here on: other processes see the time come by themselves.
        if (turn.Statement(PromoteSql).With(turn.Now).With(PromotionBatch).Execute() > 0)
        {
            turn.Effects.ReadyHere();
        }

        _next = turn.Statement(NextDueSql).Scalar() ?? long.MaxValue;
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
