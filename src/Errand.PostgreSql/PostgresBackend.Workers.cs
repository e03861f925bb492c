using System.Collections.Frozen;
using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;
using Npgsql;
using NpgsqlTypes;

namespace Errand.PostgreSql;

/// <summary>
/// Worker incarnations: how they begin, beat and end, and how the dead are noticed and their tasks given back. The server's clock
/// alone decides: a worker whose own clock is wrong steals nothing and loses nothing.
/// </summary>
public sealed partial class PostgresBackend
{
    /// <summary>Tasks whose owner is in no row are looked for at least this often.</summary>
    private static readonly TimeSpan OrphanInterval = TimeSpan.FromSeconds(10);

    /// <summary>The longest that a heartbeat may take: a late one is worth little.</summary>
    private const int HeartbeatTimeout = 10;

    private readonly Dictionary<long, LocalWorker> _workers = []; // The incarnations of this backend.
    private readonly Lock _heartbeatLock = new();
    private NpgsqlConnection? _heartbeats; // Under the lock: of the threads that beat.
    private long _lastSweep;
    private long _lastOrphans;
    private long _sweptAt; // By the server's clock; 0 for never.
    private long _resumedAt; // By the server's clock: when this backend, having stood still, could sweep again.
    private bool _orphansSuspected;

    /// <inheritdoc/>
    public async ValueTask<long> BeginWorkerAsync(
        WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        return await SubmitAsync(new BeginWorkerOperation(this, worker), cancellationToken).ConfigureAwait(false);
    }

    // language=postgresql
    private const string BeatSql = "update errand.workers set beat = errand.now_ms(@now) where id = @id";

    /// <inheritdoc/>
    /// <remarks>One synchronous statement on a connection of its own: it needs neither the thread pool nor the turns.</remarks>
    public bool Heartbeat(long owner)
    {
        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        bool isAlive;
        lock (_heartbeatLock)
        {
            try
            {
                isAlive = Beat(owner);
            }
            catch (BackendException) when (_heartbeats is null && _disposal is null)
            {
                isAlive = Beat(owner); // The connection was lost since the last: on a new one.
            }
        }

        if (!isAlive)
        {
            _inbox.Writer.TryWrite(new LostNote(this, owner));
        }

        return isAlive;
    }

    private bool Beat(long owner)
    {
        try
        {
            _heartbeats ??= _store.Open("heartbeats");
            using var command = new NpgsqlCommand(_store.Sql(BeatSql), _heartbeats) { CommandTimeout = HeartbeatTimeout };
            command.Parameters.Add(new NpgsqlParameter("now", NpgsqlDbType.Bigint) { Value = TestNow is { } now ? now : DBNull.Value });
            command.Parameters.Add(new NpgsqlParameter<long>("id", owner));
            return command.ExecuteNonQuery() == 1;
        }
        catch (Exception e) when (PostgresErrors.IsOurs(e))
        {
            _heartbeats?.Dispose();
            _heartbeats = null;
            ObjectDisposedException.ThrowIf(_disposal is not null, this);
            throw PostgresErrors.From(e, _store.Name);
        }
    }

    private void CloseHeartbeat()
    {
        lock (_heartbeatLock)
        {
            _heartbeats?.Dispose();
            _heartbeats = null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReconcileAsync(
        long owner, IReadOnlySet<long> known, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(known);
        return await SubmitAsync(new ReconcileOperation(this, owner, known), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask EndWorkerAsync(long owner, bool release, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new EndWorkerOperation(this, owner, release), cancellationToken).ConfigureAwait(false);

    // language=postgresql
    private const string InsertWorkerSql = """
        insert into errand.workers (id, beat, lease, started, process, host)
        select @id, now, @lease, now, @process, @host
        from   errand.now_ms(@now) as now
        on conflict (id) do update set beat = excluded.beat
        returning id
        """;

    // language=postgresql
    private const string InsertWorkerNameSql = """
        insert into errand.worker_names (worker, name)
        select distinct @worker, name
        from   unnest(@names) as name
        on conflict do nothing
        returning worker
        """;

    private void InsertWorker(TurnBatch batch, LocalWorker worker, IEnumerable<string> names)
    {
        worker.Know(names, _names);
        batch
            .Add(InsertWorkerSql, _ => { })
            .With("now", TestNow).With("id", worker.Owner).With("lease", (long)worker.Lease.TotalMilliseconds)
            .With("process", Environment.ProcessId).With("host", Environment.MachineName)
            .Add(InsertWorkerNameSql, _ => { })
            .With("worker", worker.Owner).With("names", worker.NameIds);
    }

    // language=postgresql
    private const string ReleaseOwnedSql = """
        update errand.tasks
        set    state = 10, owner = 0, attempt = attempt - 1
        where  owner = @owner and state = 12 and not (id = any(@known))
        returning id
        """;

    /// <summary>Gives back, uncharged, what an owner owns but for <paramref name="known"/>.</summary>
    private void ReleaseOwned(TurnBatch batch, long owner, IReadOnlySet<long> known, Action<NpgsqlDataReader> row)
    {
        batch.Add(ReleaseOwnedSql, row).With("owner", owner).With("known", known.ToArray());
        _floorVersion++;
        NoteReady();
    }

    // Its names go with it. language=postgresql
    private const string DeleteWorkerSql = "delete from errand.workers where id = @id returning id";

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
                Drop(owner, new WorkerLostException(owner));
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
                where  o.state = 12 and o.attempt >= o.max_attempts
                and    not exists (select from errand.workers w where w.id = o.owner)
                for update skip locked))
            returning t.id, t.owner, t.epoch, t.due, t.enqueued, t.attempt, t.rank, t.queue, t.name, t.timeout, t.max_attempts, t.retry,
                t.payload
        )
        insert into errand.finished (
            id, owner, epoch, due, enqueued, finished, attempt, rank, queue, name, state, error, timeout, max_attempts, retry, payload)
        select id, owner, epoch, due, enqueued, errand.now_ms(@now), attempt, rank, queue, name, 21,
               convert_to(@error || attempt || ' of ' || max_attempts || '.', 'UTF8'), timeout, max_attempts, retry, payload
        from   settled
        returning id
        """;

    // language=postgresql
    private const string GiveBackSql = """
        update errand.tasks t
        set    state = 10, owner = 0
        where  t.id = any(array(
            select o.id
            from   errand.tasks o
            where  o.state = 12 and not exists (select from errand.workers w where w.id = o.owner)
            for update skip locked))
        returning t.id
        """;

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
            .With("now", TestNow).With("error", "The worker's process ended, or lost its lease, during attempt ")
            .Add(GiveBackSql, _ => given++);
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

    /// <summary>From here on, inside this turn already, the owner is given nothing more.</summary>
    private void Drop(long owner, Exception reason)
    {
        _workers.Remove(owner);
        foreach (var waiting in _waiting.Where(waiting => waiting.Owner == owner).ToArray())
        {
            _waiting.Remove(waiting);
            waiting.Fail(reason);
        }
    }

    private void DropAllWorkers()
    {
        foreach (var owner in _workers.Keys.ToArray())
        {
            Drop(owner, new WorkerLostException(owner));
        }
    }

    /// <summary>An incarnation of this backend, and how far it has looked into each queue.</summary>
    private sealed class LocalWorker(long owner, TimeSpan lease)
    {
        private readonly Dictionary<string, (Floor Floor, long Version)> _floors = new(StringComparer.Ordinal);
        private readonly HashSet<string> _full = new(StringComparer.Ordinal); // Queues that gave all that was asked for.
        private FrozenSet<string> _names = [];

        internal long Owner => owner;

        internal TimeSpan Lease => lease;

        internal int[] NameIds { get; private set; } = [];

        /// <summary>The version of what is ready that its last wait has seen all of, and in which queues.</summary>
        internal (long Version, IReadOnlyList<string>? Queues) Seen { get; set; } = (-1, null);

        internal void Know(IEnumerable<string> names, InternedNames numbers)
        {
            _names = names.ToFrozenSet(StringComparer.Ordinal);
            NameIds = [.. _names.Select(numbers.IdOf)];
        }

        internal bool Knows(string name) => _names.Contains(name);

        internal Floor FloorOf(string queue, long version) =>
            _floors.TryGetValue(queue, out var floor) && floor.Version == version ? floor.Floor : Floor.None;

        internal void SetFloor(string queue, Floor floor, long version) => _floors[queue] = (floor, version);

        internal void ForgetFloorAbove(string queue, int rank)
        {
            if (_floors.TryGetValue(queue, out var floor) && rank < floor.Floor.Rank)
            {
                _floors.Remove(queue);
            }
        }

        internal bool WasFull(string queue) => _full.Contains(queue);

        internal void NoteLook(string queue, bool isFull)
        {
            if (isFull)
            {
                _full.Add(queue);
            }
            else
            {
                _full.Remove(queue);
            }
        }
    }

    private sealed class BeginWorkerOperation(PostgresBackend backend, WorkerRegistration registration) : Operation<long>
    {
        private LocalWorker? _worker;

        internal override TurnPart Part => TurnPart.Settle;

        internal override IEnumerable<string> Names => registration.TaskNames;

        internal override void Run(TurnBatch batch)
        {
            _worker ??= new LocalWorker(backend._options.Random.NextInt64(1, long.MaxValue), registration.Lease);
            backend.InsertWorker(batch, _worker, registration.TaskNames);
            backend.Sweep(batch, withOrphans: true); // Who died before it came is noticed now, not at the next look.
            Result = _worker.Owner;
        }

        internal override void Complete()
        {
            backend._workers[_worker!.Owner] = _worker;
            base.Complete();
        }
    }

    private sealed class ReconcileOperation(PostgresBackend backend, long owner, IReadOnlySet<long> known) : Operation<int>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            Result = 0;
            backend.ReleaseOwned(batch, owner, known, _ => Result++);
        }
    }

    private sealed class EndWorkerOperation(PostgresBackend backend, long owner, bool release) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            Result = true;

            // Before anything is given back: what waits for this owner must not be filled with it in the same turn.
            backend.Drop(owner, new WorkerLostException(owner));
            if (release)
            {
                backend.ReleaseOwned(batch, owner, FrozenSet<long>.Empty, _ => { });
                batch.Add(DeleteWorkerSql, _ => { }).With("id", owner);
            }
        }
    }

    /// <summary>A heartbeat has found no row: the owner is given nothing more.</summary>
    private sealed class LostNote(PostgresBackend backend, long owner) : Note
    {
        internal override void Run(TurnBatch batch) => backend.Drop(owner, new WorkerLostException(owner));
    }
}
