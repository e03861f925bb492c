using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql.Reserve;

/// <summary>
/// A task whose name no live worker knows is put aside, so that it neither blocks others nor burns attempts.
/// </summary>
internal sealed class Parking(StoreClock clock, Promotion promotion, ILogger logger)
{
    /// <summary>Tasks at the head of a queue among which unknown names are looked for.</summary>
    private const int LookPast = 1_000;

    /// <summary>Parked tasks that a worker takes out as it begins, at most.</summary>
    private const int UnparkedInTurn = 10_000;

    /// <summary>Names whose last line is remembered, at most.</summary>
    private const int NamesRemembered = 1_000;

    private readonly Dictionary<string, long> _told = new(StringComparer.Ordinal); // When each name was last reported, in ms UTC.

    // language=postgresql
    private const string ParkTheseSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        )
        update errand.errand_tasks t
        set    state = 11, parked = 1, due = now + @parking
        from   clock, errand.errand_names n
        where  n.id = t.name
        and    t.state + 0 = 10
        and    t.id = any(array(
        """;

    // language=postgresql
    private const string ParkedSql = """
            where  not exists (select from errand.errand_worker_names w where w.name = r.name)))
        returning t.id, t.due, n.text
        """;

    // language=postgresql
    private const string ParkSql = $"""
        {ParkTheseSql}
            select r.id
            from   (
                select id, name
                from   errand.errand_tasks
                where  queue = @queue and state = 10 and (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
                and    not exists (select from errand.errand_paused_queues where queue = @queue)
                order by rank, due, id
                limit  @count) r
        {ParkedSql}
        """;

    // language=postgresql
    private const string ParkEachSql = $"""
        {ParkTheseSql}
            select r.id
            from   unnest(@queues, @floor_ranks, @floor_dues, @floor_ids) as q (queue, floor_rank, floor_due, floor_id)
            cross join lateral (
                select id, name
                from   errand.errand_tasks
                where  queue = q.queue and state = 10 and (rank, due, id) >= (q.floor_rank, q.floor_due, q.floor_id)
                and    not exists (select from errand.errand_paused_queues where queue = q.queue)
                order by rank, due, id
                limit  @count) as r
        {ParkedSql}
        """;

    /// <summary>Not worth looking for while there is plenty of what is known.</summary>
    internal void ParkUnknown(Turn turn, QueueLook one) => Park(turn, ParkSql)
        .With("queue", one.Id).With("count", LookPast)
        .With("floor_rank", one.Floor.Rank).With("floor_due", one.Floor.Due).With("floor_id", one.Floor.Id);

    /// <summary>The same in several queues.</summary>
    internal void ParkUnknownEach(Turn turn, List<QueueLook> queues) => Park(turn, ParkEachSql)
        .With("queues", queues.ConvertAll(one => one.Id).ToArray()).With("count", LookPast / queues.Count)
        .With("floor_ranks", queues.ConvertAll(one => one.Floor.Rank).ToArray())
        .With("floor_dues", queues.ConvertAll(one => one.Floor.Due).ToArray())
        .With("floor_ids", queues.ConvertAll(one => one.Floor.Id).ToArray());

    private TurnBatch Park(Turn turn, string sql)
    {
        HashSet<string> parked = new(StringComparer.Ordinal);
        return turn
            .Add(sql, row =>
            {
                if (row.GetString(2) is var name && parked.Add(name))
                {
                    turn.Effects.Report(() => Tell(name));
                }

                turn.Effects.Expect(promotion, row.GetInt64(1));
            })
            .With("now", clock.TestNow).With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds);
    }

    /// <summary>One line a minute for each name, however many of its tasks there are.</summary>
    private void Tell(string name)
    {
        var now = clock.Now;
        if (now - _told.GetValueOrDefault(name) < (long)Defaults.UnknownNameParking.TotalMilliseconds)
        {
            return;
        }

        if (_told.Count >= NamesRemembered)
        {
            _told.Clear();
        }

        _told[name] = now;
        Log.Parked(logger, name, Defaults.UnknownNameParking);
    }

    // What is parked is due within the time of parking. language=postgresql
    private const string UnparkSql = """
        update errand.errand_tasks
        set    state = 10, parked = null, due = (select errand.errand_now_ms(@now))
        where  id = any(array(
            select id
            from   errand.errand_tasks
            where  state = 11 and parked = 1 and due <= (select errand.errand_now_ms(@now)) + @parking and name = any(@names)
            order by due
            limit  @count
            for update skip locked))
        returning id
        """;

    /// <summary>
    /// A worker begins: tasks that were parked wait again if it knows them. What is more than a turn can do is offered again
    /// in its time.
    /// </summary>
    internal void Unpark(Turn turn, LocalWorker worker) => turn
        .WaitAgain(UnparkSql, _ => turn.Ready())
        .With("now", clock.TestNow).With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds)
        .With("names", worker.NameIds).With("count", UnparkedInTurn);
}
