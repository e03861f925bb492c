using System.Collections.Frozen;
using Errand.Running;
using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Worker incarnations: how they begin, beat and end, and how the dead are noticed and their tasks given back.</summary>
public sealed partial class SqliteBackend
{
    private readonly Dictionary<long, LocalWorker> _workers = []; // The incarnations of this backend.
    private readonly WorkerWatch _watch = new();
    private long _lastSweep;

    /// <inheritdoc/>
    public async ValueTask<WorkerId> BeginWorkerAsync(
        WorkerRegistration worker, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(worker);
        return new WorkerId(await SubmitAsync(new BeginWorkerOperation(this, worker), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public bool Heartbeat(WorkerId owner)
    {
        var operation = new HeartbeatOperation(this, owner.Value);
        Submit(operation);
        return operation.Completion.GetAwaiter().GetResult();
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

    // language=sqlite
    private const string InsertWorkerSql = """
        insert or replace into workers (id, beat, lease, host, process, started, queues, concurrency)
        values (@id, 0, @lease, @host, @process, @started, @queues, @concurrency)
        """;

    // language=sqlite
    private const string InsertWorkerNameSql =
        "insert or ignore into worker_names (worker, name) values (@worker, @name)";

    private void InsertWorker(LocalWorker worker, WorkerRegistration registration)
    {
        Database.Statement(InsertWorkerSql)
            .With(worker.Owner).With((long)worker.Lease.TotalMilliseconds).With(Environment.MachineName)
            .With(Environment.ProcessId).With(_now).With(string.Join('\n', registration.Queues)).With(registration.Concurrency)
            .Execute();
        worker.Names.Clear();
        foreach (var name in registration.TaskNames)
        {
            var id = _names.IdOf(Database, name);
            worker.Names.Add(id);
            Database.Statement(InsertWorkerNameSql).With(worker.Owner).With(id).Execute();
        }
    }

    private LocalWorker NewLocalWorker(long owner, WorkerRegistration registration) => _store.IsMemory
        ? new LocalWorker(owner, registration, null, null)
        : new LocalWorker(
            owner, registration, WorkerLockFile.Hold(_store.Path, owner),
            WakeSocket.Listen(WorkerLockFile.WakePathOf(_store.Path, owner), () => _inbox.TryAdd(new PollNote(this))));

    // language=sqlite
    private const string BeatSql = "update workers set beat = beat + 1 where id = @id";

    // language=sqlite
    private const string SelectOwnedSql = "select id, epoch from tasks where owner = @owner and state = 12";

    /// <summary>Gives back, uncharged, what an owner owns but for <paramref name="known"/>.</summary>
    private int ReleaseOwned(long owner, IReadOnlySet<TaskId> known)
    {
        List<TaskLease> owned = [];
        var rows = Database.Statement(SelectOwnedSql).With(owner);
        while (rows.Step())
        {
            owned.Add(new TaskLease { Id = new TaskId(rows.Int64(0)), Owner = new WorkerId(owner), Epoch = rows.Int64(1) });
        }

        return owned.Count(lease => !known.Contains(lease.Id) && Release(lease));
    }

    // language=sqlite
    private const string DeleteWorkerSql = "delete from workers where id = @id and beat = coalesce(@beat, beat)";

    // language=sqlite
    private const string DeleteWorkerNamesSql = "delete from worker_names where worker = @worker";

    private bool DeleteWorker(long owner, long? beat)
    {
        if (Database.Statement(DeleteWorkerSql).With(owner).With(beat).Execute() == 0)
        {
            return false;
        }

        Database.Statement(DeleteWorkerNamesSql).With(owner).Execute();
        return true;
    }

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

    // language=sqlite
    private const string SelectWorkersSql = "select id, beat, lease, host, process from workers";

    /// <summary>Finds incarnations that are dead or whose lease has run out, and gives back what they own.</summary>
    private void Sweep()
    {
        var elapsed = _time.GetElapsedTime(_lastSweep);
        var longest = SweepInterval * 2; // More has passed than was asked for: this process, or everybody, stood still.
        var counted = elapsed < longest ? elapsed : longest;
        List<WorkerRow> others = [];
        var rows = Database.Statement(SelectWorkersSql);
        while (rows.Step())
        {
            if (!_workers.ContainsKey(rows.Int64(0)))
            {
                others.Add(new WorkerRow(
                    rows.Int64(0), rows.Int64(1), TimeSpan.FromMilliseconds(rows.Int64(2)), rows.Text(3), rows.Int64(4)));
            }
        }

        foreach (var other in others)
        {
            var expired = _watch.HasExpired(other.Owner, other.Beat, other.Lease, counted);
            var dead = !_store.IsMemory
                && WorkerLockFile.Probe(_store.Path, other.Owner) == WorkerLockFile.Liveness.Dead;
            if (dead || expired)
            {
                GiveBack(other, dead ? "its process has ended" : $"it was not heard of for its lease of {other.Lease}");
            }
        }

        _watch.Keep([.. others.Select(other => other.Owner)]);
        _lastSweep = _time.GetTimestamp();
    }

    /// <summary>
    /// Takes away lock files that a process left when it died between making one and committing its row, or between giving a
    /// dead worker's tasks back and removing its file. Inside a transaction, so that nobody else is just between the two.
    /// </summary>
    private void RemoveStrayLockFiles()
    {
        foreach (var owner in WorkerLockFile.Owners(_store.Path))
        {
            if (!_workers.ContainsKey(owner)
                && Database.Statement(HasWorkerSql).With(owner).Scalar() is null
                && WorkerLockFile.Probe(_store.Path, owner) == WorkerLockFile.Liveness.Dead)
            {
                WorkerLockFile.Remove(_store.Path, owner);
            }
        }
    }

    // language=sqlite
    private const string FailPoisonedSql = """
        insert into finished (
            id, state, queue, name, priority, attempt, epoch, enqueued, due, started, finished, error, max_attempts, timeout, retry,
            unique_key, payload)
        select id, iif(cancelled is null, 21, 22), queue, name, priority, attempt, epoch, enqueued, due, started, @now,
               @error || attempt || ' of ' || max_attempts || '.', max_attempts, timeout, retry, unique_key,
               iif(cancelled is null, payload, null)
        from   tasks
        where  owner = @owner and state = 12 and (attempt >= max_attempts or cancelled is not null)
        """;

    // language=sqlite
    private const string DeletePoisonedSql =
        "delete from tasks where owner = @owner and state = 12 and (attempt >= max_attempts or cancelled is not null)";

    // language=sqlite
    private const string NoteLostSql = """
        insert into attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, @now, owner, @error || attempt || ' of ' || max_attempts || '.'
        from   tasks
        where  owner = @owner and state = 12
        """;

    // language=sqlite
    private const string GiveBackSql = "update tasks set state = 10, owner = @nobody where owner = @owner and state = 12";

    private const string Lost = "The worker's process ended, or lost its lease, during attempt ";

    /// <summary>
    /// The tasks of one that is gone wait again; their attempts stay charged, so that a task that kills its process ends as
    /// failed. One that was heard of since it was looked at keeps everything.
    /// </summary>
    private void GiveBack(WorkerRow gone, string reason)
    {
        if (!DeleteWorker(gone.Owner, gone.Beat))
        {
            return;
        }

        Database.Statement(FailPoisonedSql).With(_now).With(Lost).With(gone.Owner).Execute();
        var failed = Database.Statement(DeletePoisonedSql).With(gone.Owner).Execute();
        Database.Statement(NoteLostSql).With(_now).With(Lost).With(gone.Owner).Execute();
        var given = Database.Statement(GiveBackSql).With(Nobody).With(gone.Owner).Execute();
        NoteReady();
        _nextExpiry = 0;
        _waitersMayBeDone |= failed > 0;
        _reports.Add(() =>
        {
            Log.WorkerGone(_logger, gone.Owner, gone.Host, gone.Process, reason, failed + given);
            if (!_store.IsMemory)
            {
                WorkerLockFile.Remove(_store.Path, gone.Owner);
            }
        });
    }

    // language=sqlite
    private const string HasWorkerSql = "select 1 from workers where id = @id";

    /// <summary>Somebody else has written: those of ours that they have declared dead must reserve nothing more.</summary>
    private void DropLostWorkers()
    {
        foreach (var owner in _workers.Keys.ToArray())
        {
            if (Database.Statement(HasWorkerSql).With(owner).Scalar() is null)
            {
                Drop(owner, new WorkerLostException(new WorkerId(owner)));
            }
        }
    }

    /// <summary>From here on, inside this turn already, the owner is given nothing more.</summary>
    private void Drop(long owner, Exception reason)
    {
        if (_workers.Remove(owner, out var worker))
        {
            worker.Dispose();
        }

        foreach (var waiting in _waiting.Where(waiting => waiting.Owner == owner).ToArray())
        {
            _waiting.Remove(waiting);
            waiting.Fail(reason);
        }
    }

    private sealed record WorkerRow(long Owner, long Beat, TimeSpan Lease, string Host, long Process);

    /// <summary>An incarnation of this backend, and what the system holds for it: in a file alone.</summary>
    private sealed class LocalWorker(
        long owner, WorkerRegistration registration, WorkerLockFile? lockFile, WakeSocket? wakeSocket) : IDisposable
    {
        internal long Owner => owner;

        internal TimeSpan Lease => registration.Lease;

        internal Action<TaskLease>? CancelRequested => registration.CancelRequested;

        internal QueueRotation Rotation { get; } = new();

        internal HashSet<long> Names { get; } = [];

        public void Dispose()
        {
            wakeSocket?.Dispose();
            lockFile?.Dispose();
        }
    }

    private sealed class BeginWorkerOperation(SqliteBackend backend, WorkerRegistration registration) : Operation<long>
    {
        private LocalWorker? _worker;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            // As wide as Nobody, and above it: see the schema.
            var owner = _worker?.Owner ?? backend._options.Random.NextInt64(Nobody + 1, 1L << 47);
            _worker ??= backend.NewLocalWorker(owner, registration);
            backend.InsertWorker(_worker, registration);
            backend.Sweep(); // Who died before it came is noticed now, not at the next look.
            if (!backend._store.IsMemory)
            {
                backend.RemoveStrayLockFiles();
            }

            Result = owner;
        }

        internal override void Complete()
        {
            backend._workers.Add(_worker!.Owner, _worker);
            base.Complete();
        }

        internal override void Fail(Exception exception)
        {
            _worker?.Dispose();
            base.Fail(exception);
        }
    }

    private sealed class HeartbeatOperation(SqliteBackend backend, long owner) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            Result = backend.Database.Statement(BeatSql).With(owner).Execute() == 1;
            if (!Result)
            {
                backend.Drop(owner, new WorkerLostException(new WorkerId(owner)));
            }
        }
    }

    private sealed class ReconcileOperation(SqliteBackend backend, long owner, IReadOnlySet<TaskId> known) : Operation<int>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run() => Result = backend.ReleaseOwned(owner, known);
    }

    private sealed class EndWorkerOperation(SqliteBackend backend, long owner, bool release) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            Result = true;

            // Before anything is given back: what waits for this owner must not be filled with it in the same turn.
            backend.Drop(owner, new WorkerLostException(new WorkerId(owner)));
            if (release)
            {
                backend.ReleaseOwned(owner, FrozenSet<TaskId>.Empty);
                backend.DeleteWorker(owner, beat: null);
            }
        }
    }
}
