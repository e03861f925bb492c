using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Workers;

/// <summary>The life of an incarnation of this backend: how it begins, beats, reconciles and ends.</summary>
internal sealed class WorkerLife(
    SqliteStore store, SqliteBackendOptions options, Incarnations incarnations, RunningTasks running, Sweep sweep, Parking parking,
    Neighbours neighbours, ILogger logger)
{
    private bool _reported; // That locks do not lock here. The writer's alone.

    internal Operation<Turn, long> Begin(WorkerRegistration registration) =>
        new BeginOperation(this, incarnations, sweep, parking, registration);

    internal BeatOperation Beat(long owner) => new BeatOperation(incarnations, owner);

    internal Operation<Turn, int> Reconcile(long owner, IReadOnlySet<TaskId> known) => new ReconcileOperation(running, owner, known);

    internal Operation<Turn, bool> End(long owner, bool release) => new EndOperation(incarnations, owner, release);

    private LocalWorker NewWorker(WorkerRegistration registration)
    {
        var owner = options.Random.NextInt64(Turn.Nobody + 1, 1L << 47); // As wide as Nobody, and above it: see the schema.
        return store.IsMemory
            ? new LocalWorker(owner, registration, null, null)
            : new LocalWorker(owner, registration, Lock(owner), neighbours.Listen(owner));
    }

    private WorkerLockFile? Lock(long owner)
    {
        var file = WorkerLockFile.Hold(store.Location, owner);
        if (file is null && !_reported)
        {
            _reported = true;
            Log.LocksDoNotLock(logger, store.Path);
        }

        return file;
    }

    private sealed class BeginOperation(
        WorkerLife life, Incarnations incarnations, Sweep sweep, Parking parking, WorkerRegistration registration)
        : Operation<Turn, long>
    {
        private LocalWorker? _worker;

        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn)
        {
            _worker ??= life.NewWorker(registration);
            sweep.Look(turn); // A worker that died before this one came is noticed now, not at the next look. First: no row of its own.
            Incarnations.Insert(turn, _worker, registration);
            sweep.RemoveStrayLockFiles(turn);
            parking.Unpark(turn, _worker);
            Result = _worker.Owner;
        }

        internal override bool Complete()
        {
            if (_worker is { } worker)
            {
                incarnations.Add(worker);
            }

            return base.Complete();
        }

        internal override void Fail(Exception exception)
        {
            _worker?.Dispose();
            base.Fail(exception);
        }
    }

    /// <summary>Waited for without a thread of the pool, which handlers may have blocked.</summary>
    internal sealed class BeatOperation(Incarnations incarnations, long owner) : Operation<Turn>
    {
        private readonly object _ended = new(); // The lock of what follows, pulsed at its end.
        private bool _hasEnded;
        private bool _isAlive;
        private Exception? _failure;

        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        /// <returns>Whether the store counts the worker among the living.</returns>
        internal bool Wait()
        {
            lock (_ended)
            {
                while (!_hasEnded)
                {
                    Monitor.Wait(_ended);
                }
            }

            return _failure is { } failure ? throw failure : _isAlive;
        }

        internal override void Run(Turn turn)
        {
            _isAlive = Incarnations.Beat(turn, owner);
            if (!_isAlive)
            {
                incarnations.Drop(owner);
            }
        }

        internal override bool Complete()
        {
            End(failure: null);
            return false;
        }

        internal override void Fail(Exception exception) => End(exception);

        private void End(Exception? failure)
        {
            lock (_ended)
            {
                if (!_hasEnded)
                {
                    _failure = failure;
                    _hasEnded = true;
                    Monitor.Pulse(_ended);
                }
            }
        }
    }

    private sealed class ReconcileOperation(RunningTasks running, long owner, IReadOnlySet<TaskId> known) : Operation<Turn, int>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn)
        {
            running.Forget(owner, known);
            Result = Settling.ReleaseOwned(turn, owner, known);
        }
    }

    private sealed class EndOperation(Incarnations incarnations, long owner, bool release) : Operation<Turn, bool>
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
                Settling.ReleaseOwned(turn, owner, FrozenSet<TaskId>.Empty);
                Incarnations.Delete(turn, owner, beat: null);
            }
        }
    }
}
