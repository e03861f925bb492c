using System.Collections.Frozen;
using Npgsql;

namespace Errand.PostgreSql.Workers;

/// <summary>How worker incarnations begin and end, and which of their tasks wait again then.</summary>
internal sealed class WorkerLife(Incarnations workers, StoreClock clock, Random random, Sweep sweep, Expiry expiry, Parking parking)
{
    internal Operation<Turn, long> Begin(WorkerRegistration registration) =>
        new BeginWorkerOperation(this, registration);

    /// <summary>Releases what the owner has without knowing of it.</summary>
    internal Operation<Turn, int> Reconcile(long owner, IReadOnlySet<TaskId> known) =>
        new ReconcileOperation(this, owner, known);

    internal Operation<Turn, bool> End(long owner, bool release) => new EndWorkerOperation(this, owner, release);

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
    private void ReleaseOwned(Turn turn, long owner, IReadOnlySet<TaskId> known, Action<NpgsqlDataReader> row)
    {
        var ids = known.Select(id => id.Value).ToArray();
        turn.WaitAgain(ReleaseOwnedSql, row).With("owner", owner).With("known", ids);
        turn.End(ArchiveOwnedCancelledSql, row).With("owner", owner).With("known", ids).With("now", clock.TestNow);
        expiry.LookAgain(turn);
        turn.Ready();
    }

    private sealed class BeginWorkerOperation(WorkerLife life, WorkerRegistration registration)
        : Operation<Turn, long>, IUsesNames
    {
        private LocalWorker? _worker;

        internal override TurnStage Stage => TurnStage.Settle;

        public IEnumerable<string> Names => registration.TaskNames;

        internal override void Run(Turn turn)
        {
            _worker ??= new LocalWorker(life.NewOwner(), registration);
            life.Insert(turn, _worker, registration);
            life.SweepAll(turn);
            life.Unpark(turn, _worker);
            Result = _worker.Owner;
            turn.Effects.AfterCommit(() => life.Add(_worker));
        }
    }

    private long NewOwner() => random.NextInt64(1, long.MaxValue);

    /// <summary>Workers that died before this one came are noticed now, not at the next look.</summary>
    private void SweepAll(Turn turn) => sweep.Look(turn, withOrphans: true);

    private void Unpark(Turn turn, LocalWorker worker) => parking.Unpark(turn, worker);

    private void Insert(Turn turn, LocalWorker worker, WorkerRegistration registration) =>
        workers.Insert(turn, worker, registration);

    private void Add(LocalWorker worker) => workers.Add(worker);

    private void Drop(long owner) => workers.Drop(owner);

    private sealed class ReconcileOperation(
        WorkerLife life, long owner, IReadOnlySet<TaskId> known) : Operation<Turn, int>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            Result = 0;
            life.ReleaseOwned(turn, owner, known, _ => Result++);
        }
    }

    private sealed class EndWorkerOperation(WorkerLife life, long owner, bool release) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            Result = true;

            // Before anything is released: what waits for this owner must not be filled with it in the same turn.
            life.Drop(owner);
            if (release)
            {
                life.ReleaseOwned(turn, owner, FrozenSet<TaskId>.Empty, static _ => { });
                Incarnations.Delete(turn, owner);
            }
        }
    }
}
