using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Workers that wait for tasks: each is in a list of the loop's until it has some, or its wait ends.</summary>
public sealed partial class PostgresBackend
{
    private readonly List<ReserveOperation> _waiting = [];

    private bool HasWorkForWaiting
    {
        get
        {
            foreach (var waiting in _waiting)
            {
                if ((waiting.SeenVersion != _readyVersion || _nextDue <= ServerTime) && waiting.Room() > 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    private static CancellationTokenRegistration EndWaitWhenCancelled(ReserveOperation operation, CancellationToken token) =>
        token.UnsafeRegister(
            static state =>
            {
                var operation = (ReserveOperation)state!;
                operation.Backend._inbox.Writer.TryWrite(new EndReserveNote(operation));
            },
            operation);

    private void EndExpiredWaits()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (_waiting[i].IsOver)
            {
                var expired = _waiting[i];
                _waiting.RemoveAt(i);
                expired.Complete();
            }
        }
    }

    private void FailWaiting(Exception exception)
    {
        foreach (var waiting in _waiting)
        {
            waiting.Fail(exception);
        }

        _waiting.Clear();
    }

    /// <summary>A worker that waits for tasks. It stays in the loop's list until it has some, or its wait ends.</summary>
    private sealed class ReserveOperation(PostgresBackend backend, ReserveRequest request) : Operation<IReadOnlyList<ReservedTask>>
    {
        private LocalWorker? _worker;
        private long _lookVersion = -1; // The version that its queues are being looked at for.
        private readonly bool _hasPatterns = request.Queues.Any(queue => queue.IsPattern);
        private List<string>? _queues; // In the order in which they are looked at; null until that is known.
        private int _queue; // The one in turn.
        private int _looksLeft = request.Queues.Count; // Before a wait that is over may end.

        internal PostgresBackend Backend => backend;

        internal override TurnPart Part => TurnPart.Note;

        internal override int Rows => 0;

        internal override IEnumerable<string> Names => request.Queues.Where(queue => !queue.IsPattern).Select(queue => queue.Queue);

        internal long Owner => request.Owner.Value;

        internal IReadOnlyList<QueueSubscription> Subscriptions => request.Queues;

        internal LocalWorker Worker => _worker!;

        internal List<(int Rank, ReservedTask Task)> Reserved { get; } = [];

        /// <summary>New tasks of this turn that are inserted as its own.</summary>
        internal List<(NewTask Task, long Id)> HandedOff { get; } = [];

        internal bool WasHandedOff => HandedOff.Count > 0 || Reserved.Count > 0;

        /// <summary>How many it asked of the queue in turn; 0 when it did not ask.</summary>
        internal int Asked { get; set; }

        /// <summary>How many it was given of them.</summary>
        internal int Looked { get; set; }

        internal Action? AfterLook { get; set; }

        /// <summary>Null when it must first be looked which queues there are.</summary>
        internal string? QueueInTurn => _queues?[_queue];

        /// <summary>When its wait ends, on the monotonic clock: counted from the call, not from when the loop saw it.</summary>
        internal long Deadline { get; } = request.Wait == Timeout.InfiniteTimeSpan
            ? long.MaxValue
            : backend._time.GetTimestamp() + (long)(request.Wait.TotalSeconds * backend._time.TimestampFrequency);

        /// <summary>The version of what is ready of which it has seen everything.</summary>
        internal long SeenVersion { get; private set; } = -1;

        /// <summary>How many more can be started for it now.</summary>
        internal int Room() =>
            Math.Min(request.MaxTasks, request.FreeSlots?.Invoke() ?? int.MaxValue) - HandedOff.Count - Reserved.Count;

        internal bool IsOver => Deadline <= backend._time.GetTimestamp() && (_looksLeft <= 0 || SeenVersion == backend._readyVersion || Room() <= 0);

        internal bool Takes(NewTask task)
        {
            if (!Worker.Knows(task.Name) || backend._paused.Contains(task.Queue))
            {
                return false;
            }

            foreach (var subscription in request.Queues)
            {
                if (subscription.Matches(task.Queue))
                {
                    return true;
                }
            }

            return false;
        }

        internal override void Run(TurnBatch batch)
        {
            if (!backend._workers.TryGetValue(request.Owner.Value, out _worker))
            {
                Fail(new WorkerLostException(request.Owner));
                return;
            }

            // What it has seen all of in its last wait need not be looked through again; who does not wait asks the store itself.
            if (request.Wait != TimeSpan.Zero && ReferenceEquals(_worker.Seen.Queues, request.Queues))
            {
                SeenVersion = _worker.Seen.Version;
            }

            backend._waiting.Add(this);
        }

        internal void BeginLook(long version)
        {
            if (_lookVersion == version || (_hasPatterns && _queues is not null))
            {
                return; // What was learnt of the queues is used before it is asked for again.
            }

            _lookVersion = version;
            _queue = 0;
            _queues = _hasPatterns ? null : [.. Worker.Rotation.Next(request.Queues).Select(place => request.Queues[place].Queue)];
        }

        /// <summary>It is known which queues have tasks ready; among those of one pattern each is first in its turn.</summary>
        internal void SetQueues(List<string> ready, int turn)
        {
            HashSet<string> queues = new(StringComparer.Ordinal);
            foreach (var place in Worker.Rotation.Next(request.Queues))
            {
                for (var i = 0; i < ready.Count; i++)
                {
                    if (ready[(i + turn) % ready.Count] is var queue && request.Queues[place].Matches(queue))
                    {
                        queues.Add(queue);
                    }
                }
            }

            _queues = [.. queues];
            _looksLeft = Math.Max(_looksLeft, _queues.Count);
            if (_queues.Count == 0)
            {
                NoteSeen();
            }
        }

        private void NoteSeen()
        {
            _looksLeft = 0;
            SeenVersion = _lookVersion;
            _queues = null;
        }

        /// <summary>After the commit.</summary>
        internal void EndLook()
        {
            AfterLook?.Invoke();
            AfterLook = null;
            if (Asked > 0 && QueueInTurn is { } queue)
            {
                _looksLeft--;
                Worker.NoteLook(queue, isFull: Looked == Asked);
                if (Looked < Asked)
                {
                    backend._left.RemoveWhere(one => one.Queue == queue && Worker.Knows(one.Name)); // It got them.
                    if (++_queue == _queues!.Count)
                    {
                        NoteSeen();
                    }
                }
            }

            Asked = 0;
            Looked = 0;
        }

        /// <summary>After a failure: it got nothing.</summary>
        internal void TakeBack()
        {
            Reserved.Clear();
            HandedOff.Clear();
            Asked = 0;
            Looked = 0;
            AfterLook = null;
            _lookVersion = -1;
            _queues = null;
        }

        internal override void Complete()
        {
            // What an update returns is in no order.
            Result = [.. Reserved.OrderBy(one => one.Rank).ThenBy(one => one.Task.DueAt).ThenBy(one => one.Task.Lease.Id).Select(one => one.Task)];
            base.Complete();
        }
    }

    /// <summary>The caller's wait was cancelled: it is told so, unless it has been given something.</summary>
    private sealed class EndReserveNote(ReserveOperation operation) : Note
    {
        internal override void Run(TurnBatch batch)
        {
            if (operation.Backend._waiting.Remove(operation))
            {
                operation.Complete();
            }
        }
    }
}
