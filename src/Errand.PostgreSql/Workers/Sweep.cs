using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql.Workers;

/// <summary>
/// How dead workers are noticed and their tasks made to wait again. The server's clock alone decides: a worker whose
/// own clock is wrong steals nothing and loses nothing.
/// </summary>
internal sealed class Sweep(
    Incarnations workers, StoreClock clock, TimeProvider time, Pauses pauses, Cancellation cancellation, Expiry expiry,
    ILogger logger) : Part<Turn>
{
    /// <summary>Tasks whose owner has no row are looked for at least this often.</summary>
    private static readonly TimeSpan OrphanInterval = TimeSpan.FromSeconds(10);

    private long _lastSweep;
    private long _lastOrphans;
    private bool _orphansSuspected;

    internal override Moments Hears => Moments.Plan | Moments.Upkeep;

    /// <summary>
    /// How often the others are looked at: often enough for the shortest lease here, at most every second.
    /// </summary>
    private TimeSpan Interval
    {
        get
        {
            var interval = TimeSpan.FromSeconds(1);
            foreach (var worker in workers.All)
            {
                interval = worker.Lease / 4 < interval ? worker.Lease / 4 : interval;
            }

            return interval;
        }
    }

    internal override void Plan(Agenda agenda)
    {
        if (workers.Count > 0)
        {
            agenda.Every(_orphansSuspected ? TimeSpan.Zero : Interval, _lastSweep);
        }
    }

    internal override Action<Turn>? Upkeep(Turn reader, long now) =>
        workers.Count > 0 && (_orphansSuspected || time.GetElapsedTime(_lastSweep) >= Interval)
            ? turn => Look(turn, withOrphans: false)
            : null;

    // A clock that was set back, as that of a promoted standby may be, would keep workers alive that have ended.
    // language=postgresql
    private const string ClampBeatsSql = """
        update errand.errand_workers
        set    beat = (select errand.errand_now_ms(@now))
        where  beat > (select errand.errand_now_ms(@now)) + @gap
        returning id
        """;

    // While the server was away, or nobody swept, nobody could be heard: the time of the last sweep is stored, so that a
    // gap counts for a process that was not there as well. language=postgresql
    internal const string DeleteExpiredSql = """
        with clock as materialized (
            select errand.errand_now_ms(@now) as now
        ),
        heard as materialized (
            select now, swept, case when now - swept between -@gap and @gap then resumed else now end as resumed
            from   clock, errand.errand_meta
        ),
        noted as (
            update errand.errand_meta m
            set    swept = heard.now, resumed = heard.resumed
            from   heard
            where  heard.now - heard.swept not between 0 and @pause
            and    m.one = any(array(select one from errand.errand_meta for update skip locked))
        ),
        gone as (
            delete from errand.errand_workers w
            using  heard
            where  greatest(
                       w.beat, heard.resumed, floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint)
                   + w.lease <= heard.now
            and    not (w.id = any(@ours))
            returning w.id, w.host, w.process
        )
        select now, gone.id, gone.host, gone.process
        from   clock left join gone on true
        """;

    // language=postgresql
    private const string SelectOursSql = "select id from errand.errand_workers where id = any(@ours)";

    /// <summary>Finds incarnations whose lease has run out, and those of ours that others have found.</summary>
    internal void Look(Turn turn, bool withOrphans)
    {
        var ours = workers.Owners();
        var interval = (long)Interval.TotalMilliseconds;
        HashSet<long> alive = [];
        turn.Add(ClampBeatsSql).With("now", clock.TestNow).With("gap", interval * 2);
        turn
            .Add(DeleteExpiredSql, row =>
            {
                var now = row.GetInt64(0);
                clock.Hear(now);
                if (!row.IsDBNull(1))
                {
                    var (owner, host, process) = (row.GetInt64(1), row.GetString(2), row.GetInt32(3));
                    _orphansSuspected = true;
                    turn.Effects.Report(() => Log.WorkerGone(logger, owner, host, process));
                }
            })
            .With("now", clock.TestNow).With("gap", interval * 2).With("pause", interval / 2).With("ours", ours);
        turn.Add(SelectOursSql, row => alive.Add(row.GetInt64(0))).With("ours", ours);
        pauses.Read(turn);
        cancellation.Tell(turn);
        if (withOrphans || _orphansSuspected || time.GetElapsedTime(_lastOrphans) >= OrphanInterval)
        {
            GiveBackOrphans(turn);
        }

        turn.Effects.AfterCommit(() =>
        {
            _lastSweep = time.GetTimestamp();
            foreach (var owner in ours.Where(owner => !alive.Contains(owner)))
            {
                workers.Drop(owner);
            }
        });
    }

    // language=postgresql
    internal const string FailPoisonedSql = $"""
        with settled as (
            {Turn.DeleteTasks} t
            where  t.id = any(array(
                select o.id
                from   errand.errand_tasks o
                where  o.state = 12 and (o.attempt >= o.max_attempts or o.cancelled is not null)
                and    not exists (select from errand.errand_workers w where w.id = o.owner)
                for update skip locked))
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name,
                t.timeout, t.max_attempts, t.retry, t.unique_key, t.headers, t.payload, t.cancelled
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error, timeout,
            max_attempts, retry, unique_key, headers, payload)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name,
               case when cancelled is null then 21 else 22 end,
               convert_to(@error || attempt || ' of ' || max_attempts || '.', 'UTF8'), timeout, max_attempts, retry,
               unique_key, case when cancelled is null then headers end, case when cancelled is null then payload end
        from   settled
        returning id
        """;

    // language=postgresql
    internal const string GiveBackSql = """
        with lost as (
            select o.id, o.owner, o.attempt - 1 as failures, string_to_array(o.retry, ',') as retry
            from   errand.errand_tasks o
            where  o.state = 12 and o.cancelled is null and o.attempt < o.max_attempts
            and    not exists (select from errand.errand_workers w where w.id = o.owner)
            for update skip locked
        ),
        policy as (
            select id, owner, failures, coalesce(retry[1]::float8, @delay) as delay, coalesce(retry[2]::float8, @longest) as longest,
                   coalesce(retry[3]::float8, @factor) as factor, coalesce(retry[4]::float8, @jitter) as jitter
            from   lost
        ),
        pause as materialized (
            select id, owner, errand.errand_now_ms(@now) as now,
                   round(least(delay * power(factor, least(failures, 200)), longest) * (1 - jitter * random()))::bigint as wait
            from   policy
        ),
        given as (
            update errand.errand_tasks t
            set    state = case when pause.wait <= 0 then 10 else 11 end, owner = 0, due = pause.now + pause.wait
            from   pause
            where  t.id = any(array(select id from pause)) and t.id = pause.id
            returning t.id, t.epoch, t.due, t.started, t.attempt, t.max_attempts, pause.owner
        ),
        noted as (
            insert into errand.errand_attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, errand.errand_now_ms(@now), owner, attempt,
                   convert_to(@error || attempt || ' of ' || max_attempts || '.', 'UTF8')
            from   given
        )
        select id, epoch, due
        from   given
        """;

    /// <summary>
    /// The tasks of dead workers wait again, as after an attempt that failed. Their attempts stay charged, so that a task that kills its process ends as
    /// failed. A worker without a row is dead, whoever took the row away: what is started for it at the same moment is
    /// found the next time.
    /// </summary>
    private void GiveBackOrphans(Turn turn)
    {
        var failed = 0;
        var given = 0;
        turn.End(FailPoisonedSql, _ => failed++).With("now", clock.TestNow).With("error", Attempts.Lost);
        var policy = RetryPolicy.Default;
        turn.WaitAgain(GiveBackSql, _ => given++).With("now", clock.TestNow).With("error", Attempts.Lost)
            .With("delay", policy.Delay.TotalMilliseconds).With("longest", policy.MaxDelay.TotalMilliseconds)
            .With("factor", policy.Factor).With("jitter", policy.Jitter);
        expiry.LookAgain(turn);
        turn.ReadyHere();
        var suspected = _orphansSuspected;
        turn.Effects.AfterCommit(() =>
        {
            _orphansSuspected = _orphansSuspected && !suspected;
            _lastOrphans = time.GetTimestamp();
            if (given + failed > 0)
            {
                turn.Effects.WakeOthers();
                turn.Effects.Report(() => Log.OrphansGivenBack(logger, given, failed));
            }
        });
    }
}
