using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Scheduled tasks: how they become pending when their time has come, and what is put aside until it can be run.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    /// <summary>Tasks at the head of a queue among which unknown names are looked for.</summary>
    private const int LookPast = 1_000;

    private long _nextDue; // The due time of the first scheduled task, by the server's clock; 0 when not known.
    private long _serverTime; // As last heard.
    private long _serverTimeHeard; // When, on the monotonic clock.

    /// <summary>What stands for the server's clock in tests; null otherwise.</summary>
    private long? TestNow => _options.ServerClock?.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>About the time of the server: good enough to know when to ask it.</summary>
    private long ServerTime => TestNow ?? _serverTime + (long)_time.GetElapsedTime(_serverTimeHeard).TotalMilliseconds;

    // language=postgresql
    private const string PromoteSql = """
        update errand.tasks
        set    state = 10, parked = null
        where  id = any(array(
            select id
            from   errand.tasks
            where  state = 11 and due <= errand.now_ms(@now)
            order by due
            limit  @count
            for update skip locked))
        returning id
        """;

    // language=postgresql
    private const string NextDueSql = """
        select errand.now_ms(@now), (select due from errand.tasks where state = 11 order by due limit 1)
        """;

    /// <summary>Scheduled tasks whose time has come become pending: only when a worker waits, since nobody else can tell.</summary>
    private void Promote(TurnBatch batch)
    {
        if (_waiting.Count == 0 || _nextDue > ServerTime)
        {
            return;
        }

        batch
            .Add(PromoteSql, _ => { }).With("now", TestNow).With("count", PromotionBatch)
            .Add(NextDueSql, row =>
            {
                NoteServerTime(row.GetInt64(0));
                _nextDue = row.IsDBNull(1) ? long.MaxValue : row.GetInt64(1);
            }).With("now", TestNow);
        _floorVersion++;
        _readyVersion++;
    }

    private void NoteServerTime(long time)
    {
        _serverTime = time;
        _serverTimeHeard = _time.GetTimestamp();
    }

    private void NoteScheduled(long due) => _nextDue = Math.Min(_nextDue, due);

    // language=postgresql
    private const string ParkSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        )
        update errand.tasks t
        set    state = 11, parked = 1, due = now + @parking
        from   clock, errand.names n
        where  n.id = t.name
        and    t.state + 0 = 10
        and    t.id = any(array(
            select r.id
            from   (
                select id, name
                from   errand.tasks
                where  queue = @queue and state = 10 and (rank, due, id) >= (@floor_rank, @floor_due, @floor_id)
                and    not exists (select from errand.paused_queues where queue = @queue)
                order by rank, due, id
                limit  @count) r
            where  not exists (select from errand.worker_names w where w.name = r.name)))
        returning t.id, t.due, n.text
        """;

    /// <summary>
    /// A task whose name no live worker knows is put aside, so that it neither blocks others nor burns attempts. Not looked for
    /// while there is plenty of what is known.
    /// </summary>
    private void ParkUnknown(TurnBatch batch, string queue, Floor floor) => batch
        .Add(ParkSql, row =>
        {
            var (id, text) = (row.GetInt64(0), row.GetString(2));
            _reports.Add(() => Log.Parked(_logger, id, text, Defaults.UnknownNameParking));
            NoteScheduled(row.GetInt64(1));
        })
        .With("now", TestNow).With("parking", (long)Defaults.UnknownNameParking.TotalMilliseconds)
        .With("queue", _names.IdOf(queue)).With("count", LookPast)
        .With("floor_rank", floor.Rank).With("floor_due", floor.Due).With("floor_id", floor.Id);
}
