using System.Collections.Frozen;
using Npgsql;

namespace Errand.PostgreSql.Workers;

/// <summary>Worker incarnations: how they begin and end, and which of their tasks wait again then.</summary>
internal sealed class Incarnations(LocalWorkers workers, StoreClock clock, Random random, Sweep sweep, Expiry expiry)
{
    internal Operation<Turn, long> Begin(WorkerRegistration registration) =>
        new BeginWorkerOperation(this, registration);

    /// <summary>Releases what the owner has without knowing of it.</summary>
    internal Operation<Turn, int> Reconcile(long owner, IReadOnlySet<long> known) =>
        new ReconcileOperation(this, owner, known);

    internal Operation<Turn, bool> End(long owner, bool release) => new EndWorkerOperation(this, owner, release);

    // language=postgresql
    private const string InsertWorkerSql = """
        insert into errand.errand_workers (id, beat, lease, started, process, concurrency, host, queues)
        select @id, now, @lease, now, @process, @concurrency, @host, @queues
        from   errand.errand_now_ms(@now) as now
        on conflict (id) do update set beat = excluded.beat
        returning id
        """;

    // language=postgresql
    private const string InsertWorkerNameSql = """
        insert into errand.errand_worker_names (worker, name)
        select distinct @worker, name
        from   unnest(@names) as name
        on conflict do nothing
        returning worker
        """;

    private void Insert(Turn turn, LocalWorker worker, WorkerRegistration registration)
    {
        worker.Know(registration.TaskNames, turn.IdOf);
        turn.Add(InsertWorkerSql)
            .With("now", clock.TestNow).With("id", worker.Owner).With("lease", (long)worker.Lease.TotalMilliseconds)
            .With("process", Environment.ProcessId).With("host", Environment.MachineName)
            .With("concurrency", registration.Concurrency).With("queues", string.Join('\n', registration.Queues));
        turn.Add(InsertWorkerNameSql).With("worker", worker.Owner).With("names", worker.NameIds);
    }

    // language=postgresql
    private const string ReleaseOwnedSql = """
        update errand.errand_tasks
        set    state = 10, owner = 0, attempt = attempt - 1
        where  id = any(array(
            select id
            from   errand.errand_tasks
            where  owner = @owner and state = 12 and not (id = any(@known)) and cancelled is null
            for update skip locked))
        returning id
        """;

    // language=postgresql
    private const string ArchiveOwnedCancelledSql = $"""
        with settled as (
            {Turn.DeleteTasks}
            where  id = any(array(
                select id
                from   errand.errand_tasks
                where  owner = @owner and state = 12 and not (id = any(@known)) and cancelled is not null
                for update skip locked))
            returning id, owner, epoch, due, enqueued, started, attempt, rank, queue, name
        )
        insert into errand.errand_finished (
            id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select id, owner, epoch, due, enqueued, started, errand.errand_now_ms(@now), attempt, rank, queue, name, 22
        from   settled
        returning id
        """;

    /// <summary>
    /// Releases, uncharged, what an owner owns but for <paramref name="known"/>, and for what an open transaction has
    /// completed: if that rolls back, the sweep finds it among the tasks of the dead.
    /// </summary>
    private void ReleaseOwned(Turn turn, long owner, IReadOnlySet<long> known, Action<NpgsqlDataReader> row)
    {
        var ids = known.ToArray();
        turn.WaitAgain(ReleaseOwnedSql, row).With("owner", owner).With("known", ids);
        turn.End(ArchiveOwnedCancelledSql, row).With("owner", owner).With("known", ids).With("now", clock.TestNow);
        expiry.LookAgain(turn);
        turn.Ready();
    }

    // Its names go with it. language=postgresql
    private const string DeleteWorkerSql = "delete from errand.errand_workers where id = @id returning id";

    private sealed class BeginWorkerOperation(Incarnations incarnations, WorkerRegistration registration)
        : Operation<Turn, long>, IUsesNames
    {
        private LocalWorker? _worker;

        internal override TurnStage Stage => TurnStage.Settle;

        public IEnumerable<string> Names => registration.TaskNames;

        internal override void Run(Turn turn)
        {
            _worker ??= new LocalWorker(incarnations.NewOwner(), registration);
            incarnations.Insert(turn, _worker, registration);
            incarnations.SweepAll(turn);
            Result = _worker.Owner;
            turn.Effects.AfterCommit(() => incarnations.Add(_worker));
        }
    }

    private long NewOwner() => random.NextInt64(1, long.MaxValue);

    /// <summary>Workers that died before this one came are noticed now, not at the next look.</summary>
    private void SweepAll(Turn turn) => sweep.Look(turn, withOrphans: true);

    private void Add(LocalWorker worker) => workers.Add(worker);

    private void Drop(long owner) => workers.Drop(owner);

    private sealed class ReconcileOperation(
        Incarnations incarnations, long owner, IReadOnlySet<long> known) : Operation<Turn, int>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            Result = 0;
            incarnations.ReleaseOwned(turn, owner, known, _ => Result++);
        }
    }

    private sealed class EndWorkerOperation(Incarnations incarnations, long owner, bool release) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            Result = true;

            // Before anything is released: what waits for this owner must not be filled with it in the same turn.
            incarnations.Drop(owner);
            if (release)
            {
                incarnations.ReleaseOwned(turn, owner, FrozenSet<long>.Empty, static _ => { });
                turn.Add(DeleteWorkerSql).With("id", owner);
            }
        }
    }
}
