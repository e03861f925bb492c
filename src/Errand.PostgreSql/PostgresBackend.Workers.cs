using System.Collections.Frozen;
using Errand.PostgreSql.Engine;
using Errand.Running;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>Worker incarnations: how they begin and end, and what is given back then.</summary>
public sealed partial class PostgresBackend
{
    private readonly Dictionary<long, LocalWorker> _workers = []; // The incarnations of this backend.

    /// <inheritdoc/>
    public async ValueTask<WorkerId> BeginWorkerAsync(
        WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        return new WorkerId(await SubmitAsync(new BeginWorkerOperation(this, worker), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReconcileAsync(
        WorkerId owner, IReadOnlySet<TaskId> known, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(known);
        return await SubmitAsync(new ReconcileOperation(this, owner.Value, known), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask EndWorkerAsync(WorkerId owner, bool release, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new EndWorkerOperation(this, owner.Value, release), cancellationToken).ConfigureAwait(false);

    // language=postgresql
    private const string InsertWorkerSql = """
        insert into errand.workers (id, beat, lease, started, process, concurrency, host, queues)
        select @id, now, @lease, now, @process, @concurrency, @host, @queues
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

    private void InsertWorker(TurnBatch batch, LocalWorker worker, WorkerRegistration registration)
    {
        worker.Know(registration.TaskNames, _names);
        batch
            .Add(InsertWorkerSql, _ => { })
            .With("now", TestNow).With("id", worker.Owner).With("lease", (long)worker.Lease.TotalMilliseconds)
            .With("process", Environment.ProcessId).With("host", Environment.MachineName)
            .With("concurrency", registration.Concurrency).With("queues", string.Join('\n', registration.Queues))
            .Add(InsertWorkerNameSql, _ => { })
            .With("worker", worker.Owner).With("names", worker.NameIds);
    }

    // language=postgresql
    private const string ReleaseOwnedSql = """
        update errand.tasks
        set    state = 10, owner = 0, attempt = attempt - 1
        where  id = any(array(
            select id
            from   errand.tasks
            where  owner = @owner and state = 12 and not (id = any(@known)) and cancelled is null
            for update skip locked))
        returning id
        """;

    // language=postgresql
    private const string ArchiveOwnedCancelledSql = """
        with settled as (
            delete from errand.tasks
            where  id = any(array(
                select id
                from   errand.tasks
                where  owner = @owner and state = 12 and not (id = any(@known)) and cancelled is not null
                for update skip locked))
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.now_ms(@now), attempt, rank, queue, name, 22
        from   settled
        returning id
        """;

    /// <summary>
    /// Gives back, uncharged, what an owner owns but for <paramref name="known"/>, and for what a transaction has completed that is
    /// still open: if that rolls back, it is found again by who looks for the tasks of the dead.
    /// </summary>
    private void ReleaseOwned(TurnBatch batch, long owner, IReadOnlySet<TaskId> known, Action<NpgsqlDataReader> row)
    {
        var ids = known.Select(id => id.Value).ToArray();
        batch
            .Add(ReleaseOwnedSql, row).With("owner", owner).With("known", ids)
            .Add(ArchiveOwnedCancelledSql, ended =>
            {
                NoteEnded(ended.GetInt64(0));
                row(ended);
            })
            .With("owner", owner).With("known", ids).With("now", TestNow);
        _nextExpiry = 0; // They may expire meanwhile.
        _floorVersion++;
        NoteReady();
    }

    // Its names go with it. language=postgresql
    private const string DeleteWorkerSql = "delete from errand.workers where id = @id returning id";

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
            Drop(owner, new WorkerLostException(new WorkerId(owner)));
        }
    }

    /// <summary>An incarnation of this backend, and how far it has looked into each queue.</summary>
    private sealed class LocalWorker(long owner, WorkerRegistration registration)
    {
        private readonly Dictionary<string, (Floor Floor, long Version)> _floors = new(StringComparer.Ordinal);
        private readonly HashSet<string> _full = new(StringComparer.Ordinal); // Queues that gave all that was asked for.
        private FrozenSet<string> _names = [];

        internal long Owner => owner;

        internal TimeSpan Lease => registration.Lease;

        internal Action<TaskLease>? CancelRequested => registration.CancelRequested;

        internal QueueRotation Rotation { get; } = new();

        internal int[] NameIds { get; private set; } = [];

        /// <summary>The version of what is ready that its last wait has seen all of, and in which queues.</summary>
        internal (long Version, IReadOnlyList<QueueSubscription>? Queues) Seen { get; set; } = (-1, null);

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
            _worker ??= new LocalWorker(backend._options.Random.NextInt64(1, long.MaxValue), registration);
            backend.InsertWorker(batch, _worker, registration);
            backend.Sweep(batch, withOrphans: true); // Who died before it came is noticed now, not at the next look.
            Result = _worker.Owner;
        }

        internal override void Complete()
        {
            backend._workers[_worker!.Owner] = _worker;
            base.Complete();
        }
    }

    private sealed class ReconcileOperation(PostgresBackend backend, long owner, IReadOnlySet<TaskId> known) : Operation<int>
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
            backend.Drop(owner, new WorkerLostException(new WorkerId(owner)));
            if (release)
            {
                backend.ReleaseOwned(batch, owner, FrozenSet<TaskId>.Empty, _ => { });
                batch.Add(DeleteWorkerSql, _ => { }).With("id", owner);
            }
        }
    }
}
