using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>
/// How the dead are noticed and their tasks given back. The server's clock alone decides: a worker whose own clock is wrong steals
/// nothing and loses nothing.
/// </summary>
public sealed partial class PostgresBackend
{
    /// <summary>Tasks whose owner is in no row are looked for at least this often.</summary>
    private static readonly TimeSpan OrphanInterval = TimeSpan.FromSeconds(10);

    private long _lastSweep;
    private long _lastOrphans;
    private long _sweptAt; // By the server's clock; 0 for never.
    private long _resumedAt; // By the server's clock: when this backend, having stood still, could sweep again.
    private bool _orphansSuspected;

    /// <summary>How often the others are looked at: often enough for the shortest lease here, at most every second.</summary>
    private TimeSpan SweepInterval
    {
        get
        {
            var interval = TimeSpan.FromSeconds(1);
            foreach (var worker in _workers.Values)
            {
                interval = worker.Lease / 4 < interval ? worker.Lease / 4 : interval;
            }

            return interval;
        }
    }

    // While the server was away, or this backend stood still, nobody could be heard. language=postgresql
    private const string DeleteExpiredSql = """
        with clock as materialized (
            select errand.now_ms(@now) as now
        ),
        heard as materialized (
            select now, greatest(
                       case when @swept_at > 0 and now - @swept_at > @gap then now else @resumed_at end,
                       floor(extract(epoch from pg_postmaster_start_time()) * 1000)::bigint) as since
            from   clock
        ),
        gone as (
            delete from errand.workers w
            using  heard
            where  greatest(w.beat, heard.since) + w.lease <= heard.now and not (w.id = any(@ours))
            returning w.id, w.host, w.process
        )
        select now, gone.id, gone.host, gone.process
        from   clock left join gone on true
        """;

    // language=postgresql
    private const string SelectOursSql = "select id from errand.workers where id = any(@ours)";

    /// <summary>Finds incarnations whose lease has run out, and those of ours that others have found.</summary>
    private void Sweep(TurnBatch batch, bool withOrphans)
    {
        var ours = _workers.Keys.ToArray();
        var gap = (long)(SweepInterval * 2).TotalMilliseconds;
        HashSet<long> alive = [];
        batch
            .Add(DeleteExpiredSql, row =>
            {
                var now = row.GetInt64(0);
                _resumedAt = _sweptAt > 0 && now - _sweptAt > gap ? now : _resumedAt;
                NoteServerTime(now);
                if (!row.IsDBNull(1))
                {
                    var (owner, host, process) = (row.GetInt64(1), row.GetString(2), row.GetInt32(3));
                    _orphansSuspected = true;
                    _reports.Add(() => Log.WorkerGone(_logger, owner, host, process));
                }
            })
            .With("now", TestNow).With("swept_at", _sweptAt).With("gap", gap).With("resumed_at", _resumedAt).With("ours", ours)
            .Add(SelectOursSql, row => alive.Add(row.GetInt64(0))).With("ours", ours);
        ReadPaused(batch);
        TellCancelled(batch);
        if (withOrphans || _orphansSuspected || Passed(_time.GetElapsedTime(_lastOrphans), OrphanInterval))
        {
            GiveBackOrphans(batch);
        }

        _afterCommit.Add(() =>
        {
            _sweptAt = _serverTime;
            _lastSweep = _time.GetTimestamp();
            foreach (var owner in ours.Where(owner => !alive.Contains(owner)))
            {
                Drop(owner, new WorkerLostException(new WorkerId(owner)));
            }
        });
    }

    // language=postgresql
    private const string FailPoisonedSql = """
        with settled as (
            delete from errand.tasks t
            where  t.id = any(array(
                select o.id
                from   errand.tasks o
                where  o.state = 12 and (o.attempt >= o.max_attempts or o.cancelled is not null)
                and    not exists (select from errand.workers w where w.id = o.owner)
                for update skip locked))
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.started, t.attempt, t.rank, t.queue, t.name, t.timeout, t.max_attempts,
                t.retry, t.unique_key, t.payload, t.cancelled
        )
        insert into errand.finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state, error, timeout, max_attempts, retry,
            unique_key, payload)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name,
               case when cancelled is null then 21 else 22 end,
               convert_to(@error || attempt || ' of ' || max_attempts || '.', 'UTF8'), timeout, max_attempts, retry, unique_key,
               case when cancelled is null then payload end
        from   settled
        returning id
        """;

    // language=postgresql
    private const string GiveBackSql = """
        with lost as (
            select o.id, o.owner
            from   errand.tasks o
            where  o.state = 12 and o.cancelled is null and o.attempt < o.max_attempts
            and    not exists (select from errand.workers w where w.id = o.owner)
            for update skip locked
        ),
        given as (
            update errand.tasks t
            set    state = 10, owner = 0
            from   lost
            where  t.id = any(array(select id from lost)) and t.id = lost.id
            returning t.id, t.epoch, t.started, t.attempt, t.max_attempts, lost.owner
        ),
        noted as (
            insert into errand.attempts (task, epoch, started, ended, worker, attempt, error)
            select id, epoch, started, errand.now_ms(@now), owner, attempt,
                   convert_to(@error || attempt || ' of ' || max_attempts || '.', 'UTF8')
            from   given
        )
        select id
        from   given
        """;

    private const string Lost = "The worker's process ended, or lost its lease, during attempt ";

    /// <summary>
    /// The tasks of those that are gone wait again; their attempts stay charged, so that a task that kills its process ends as
    /// failed. Whose row is gone is gone, whoever took it away: what is started for it at the same moment is found the next time.
    /// </summary>
    private void GiveBackOrphans(TurnBatch batch)
    {
        var failed = 0;
        var given = 0;
        batch
            .Add(FailPoisonedSql, row =>
            {
                failed++;
                NoteEnded(row.GetInt64(0));
            })
            .With("now", TestNow).With("error", Lost)
            .Add(GiveBackSql, _ => given++).With("now", TestNow).With("error", Lost);
        _nextExpiry = 0; // They may expire meanwhile.
        var suspected = _orphansSuspected;
        _floorVersion++;
        _readyVersion++;
        _afterCommit.Add(() =>
        {
            _orphansSuspected = _orphansSuspected && !suspected;
            _lastOrphans = _time.GetTimestamp();
            if (given + failed > 0)
            {
                _wakeOwed = true;
                _reports.Add(() => Log.OrphansGivenBack(_logger, given, failed));
            }
        });
    }
}
