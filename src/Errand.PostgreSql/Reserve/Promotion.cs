namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Scheduled tasks become pending when their time has come, in turns in which a worker waits: nobody else can tell.
/// </summary>
internal sealed class Promotion(WaitingWorkers<Turn, Waiting> waiting, StoreClock clock) : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    internal override Moments Hears => Moments.Doubted | Moments.Settled | Moments.WaitsAgain | Moments.Committed;

    /// <summary>The due time of the first scheduled task, by the server's clock; 0 when it is not known.</summary>
    internal long NextDue { get; private set; }

    internal override void Doubted(Doubt why) => NextDue = Unknown;

    internal override void WaitsAgain(Turn turn, long due) => turn.Effects.Expect(this, due);

    internal override void Committed(Effects effects) => NextDue = Math.Min(NextDue, effects.ExpectedBy(this));

    // language=postgresql
    internal const string PromoteSql = """
        update errand.errand_tasks
        set    state = 10, parked = null
        where  id = any(array(
            select id
            from   errand.errand_tasks
            where  state = 11 and due <= (select errand.errand_now_ms(@now))
            order by due
            limit  @count
            for update skip locked))
        returning id
        """;

    // language=postgresql
    internal const string NextDueSql = """
        select errand.errand_now_ms(@now), (select due from errand.errand_tasks where state = 11 order by due limit 1)
        """;

    internal override void Settled(Turn turn)
    {
        if (waiting.Count == 0 || NextDue > clock.Now)
        {
            return;
        }

        turn.Add(PromoteSql).With("now", clock.TestNow).With("count", PromotionBatch);
        var next = long.MaxValue;
        turn.Add(NextDueSql, row =>
        {
            clock.Hear(row.GetInt64(0));
            next = row.IsDBNull(1) ? long.MaxValue : row.GetInt64(1);
        }).With("now", clock.TestNow);
        turn.ReadyHere();
        turn.Effects.AfterCommit(() => NextDue = next);
    }
}
