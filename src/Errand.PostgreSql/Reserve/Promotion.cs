namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Scheduled tasks become pending when their time has come, in turns in which a worker waits: nobody else can tell.
/// </summary>
internal sealed class Promotion(WaitingWorkers<Turn, Waiting> waiting, StoreClock clock, TimeProvider time) : Part<Turn>
{
    private const long Unknown = 0;

    /// <summary>How old the floor may become.</summary>
    private static readonly TimeSpan FloorInterval = TimeSpan.FromSeconds(1);

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    /// <summary>Priorities among whose scheduled tasks the most urgent ones are looked for.</summary>
    private const int UrgentRanks = 32;

    private long _floor; // Scheduled tasks with an earlier due time have been promoted; 0 when others may have made some.
    private bool _isBehind = true; // More were due than one turn promotes, or may have been.
    private long _floorSet; // On the monotonic clock.

    internal override Moments Hears => Moments.Doubted | Moments.Settled | Moments.WaitsAgain | Moments.Committed;

    /// <summary>The due time of the first scheduled task, by the server's clock; 0 when it is not known.</summary>
    internal long NextDue { get; private set; }

    internal override void Doubted(Doubt why)
    {
        NextDue = Unknown;
        _floor = 0;
        _isBehind = true;
    }

    internal override void WaitsAgain(Turn turn, long due) => turn.Effects.Expect(this, due);

    internal override void Committed(Effects effects) => NextDue = Math.Min(NextDue, effects.ExpectedBy(this));

    // language=postgresql
    internal const string PromoteSql = """
        update errand.errand_tasks
        set    state = 10, parked = null
        where  id = any(array(
            select id
            from   errand.errand_tasks
            where  state = 11 and due between @floor and (select errand.errand_now_ms(@now))
            order by due
            limit  @count
            for update skip locked))
        returning id, due
        """;

    // With a hop for each priority: of many tasks that are due, the urgent ones start first. The others have the
    // statement above, in case more priorities are in use. language=postgresql
    internal const string PromoteUrgentSql = """
        with recursive ranks (rank) as (
            (select rank from errand.errand_tasks where state = 11 order by rank limit 1)
            union all
            select n.rank
            from   ranks r,
                   lateral (
                       select   t.rank
                       from     errand.errand_tasks t
                       where    t.state = 11 and t.rank > r.rank
                       order by t.rank
                       limit    1) as n
        )
        update errand.errand_tasks
        set    state = 10, parked = null
        where  id = any(array(
            select id
            from   errand.errand_tasks
            where  id = any(array(
                select   p.id
                from     (select rank from ranks limit @ranks) as r,
                         lateral (
                             select   t.id, t.rank, t.due
                             from     errand.errand_tasks t
                             where    t.state = 11 and t.rank = r.rank
                             and      t.due <= (select errand.errand_now_ms(@now))
                             order by t.due
                             limit    @count) as p
                order by p.rank, p.due
                limit    @count))
            and    state + 0 = 11
            for update skip locked))
        returning id
        """;

    // language=postgresql
    internal const string NextDueSql = """
        select errand.errand_now_ms(@now), (
            select due from errand.errand_tasks where state = 11 and due >= @floor order by due limit 1)
        """;

    internal override void Settled(Turn turn)
    {
        if (waiting.Count == 0 || NextDue > clock.Now)
        {
            return;
        }

        // Others may have scheduled tasks before the floor. Without one, dead rows that vacuum cannot remove would be looked
        // through each time.
        if (time.GetElapsedTime(_floorSet) >= FloorInterval)
        {
            _floor = 0;
            _floorSet = time.GetTimestamp();
        }

        var floor = _floor;
        var promoted = 0;
        turn.Add(PromoteSql, row =>
        {
            floor = Math.Max(floor, row.GetInt64(1));
            promoted++;
        }).With("now", clock.TestNow).With("floor", _floor).With("count", PromotionBatch);
        if (_isBehind)
        {
            turn.Add(PromoteUrgentSql).With("now", clock.TestNow).With("ranks", UrgentRanks).With("count", PromotionBatch);
        }

        var next = long.MaxValue;
        turn.Add(NextDueSql, row =>
        {
            clock.Hear(row.GetInt64(0));
            next = row.IsDBNull(1) ? long.MaxValue : row.GetInt64(1);
        }).With("now", clock.TestNow).With("floor", _floor);
        turn.ReadyHere();
        turn.Effects.AfterCommit(() =>
        {
            NextDue = next;
            _floor = floor;
            _isBehind = promoted == PromotionBatch;
        });
    }
}
