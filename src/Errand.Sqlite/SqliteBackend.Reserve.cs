using System.Runtime.InteropServices;
using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Reserve: workers wait in a list of the writer's; each turn fills what it can.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>The owner of a task that nobody runs: as wide in the row as a worker's id.</summary>
    private const long Nobody = 1L << 40;

    /// <summary>Scheduled tasks that become pending in one turn at most.</summary>
    private const int PromotionBatch = 500;

    /// <summary>Tasks of other workers that one reserve looks past at most; it goes on when those have been taken.</summary>
    private const int LookPast = 1_000;

    private readonly List<ReserveOperation> _waiting = [];
    private readonly List<TaskLease> _undelivered = []; // Reserved by a commit whose outcome is unknown: not to be orphaned.
    private long _readyVersion; // Rises whenever tasks may have become ready; who has seen all of this version has seen all.
    private bool _goesOn; // Of this turn: there may be more than was looked at.
    private int _turnOfQueue; // Among the queues of one pattern.
    private long _nextDue = long.MaxValue; // The due time of the first scheduled task; 0 when not known.

    private bool HasWorkForWaiting
    {
        get
        {
            foreach (var waiting in _waiting)
            {
                if (waiting.HasRoom && (waiting.SeenVersion != _readyVersion || _nextDue <= _now))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(
        ReserveRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.MaxTasks, 1, nameof(request));
        cancellationToken.ThrowIfCancellationRequested();
        var operation = new ReserveOperation(this, request);
        Submit(operation);

        // The answer is always waited for: a task that was reserved at the moment of cancellation is not lost.
        await using (EndWaitWhenCancelled(operation, cancellationToken).ConfigureAwait(false))
        {
            var reserved = await operation.Completion.ConfigureAwait(false);
            if (reserved.Count == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            return reserved;
        }
    }

    private static CancellationTokenRegistration EndWaitWhenCancelled(ReserveOperation operation, CancellationToken token) =>
        token.UnsafeRegister(
            static state =>
            {
                var operation = (ReserveOperation)state!;
                operation.Backend._inbox.TryAdd(new EndReserveNote(operation));
            },
            operation);

    // language=sqlite
    private const string PromoteSql = """
        update tasks
        set    state = 10, parked = null
        where  id in (select id from tasks where state = 11 and due <= @now order by due limit @count)
        """;

    // language=sqlite
    private const string NextDueSql = "select due from tasks where state = 11 order by due limit 1";

    /// <summary>Scheduled tasks whose time has come become pending: only when a worker waits, since nobody else can tell.</summary>
    private void Promote()
    {
        if (_waiting.Count == 0 || _nextDue > _now)
        {
            return;
        }

        if (Database.Statement(PromoteSql).With(_now).With(PromotionBatch).Execute() > 0)
        {
            _readyVersion++;
        }

        _nextDue = Database.Statement(NextDueSql).Scalar() ?? long.MaxValue;
    }

    private void Fill()
    {
        _goesOn = false;
        foreach (var waiting in _waiting)
        {
            if (waiting.SeenVersion == _readyVersion || !waiting.HasRoom)
            {
                continue;
            }

            foreach (var place in waiting.NextOrder())
            {
                Reserve(waiting, waiting.Queues[place]);
            }

            if (waiting.HasRoom)
            {
                waiting.SeenVersion = _readyVersion;
            }
        }

        if (_goesOn)
        {
            _readyVersion++;
        }
    }

    private void Reserve(ReserveOperation waiting, QueueSubscription subscription)
    {
        if (!waiting.HasRoom)
        {
            return;
        }

        if (!subscription.IsPattern)
        {
            Reserve(waiting, _names.IdOf(Database, subscription.Queue), subscription.Queue);
            return;
        }

        var ready = ReadyQueues();
        _turnOfQueue++;
        for (var i = 0; i < ready.Count && waiting.HasRoom; i++)
        {
            var queue = ready[(i + _turnOfQueue) % ready.Count]; // Among those of one pattern each is first in its turn.
            if (_names.TextOf(Database, queue) is var text && subscription.Matches(text))
            {
                Reserve(waiting, queue, text);
            }
        }
    }

    // language=sqlite
    private const string SelectReadySql = """
        select   id, name, due, epoch, attempt, max_attempts, enqueued, timeout, expires, retry, trace, payload
        from     tasks
        where    queue = @queue and state = 10
        order by priority desc, due, id
        """;

    // language=sqlite
    private const string StartSql = """
        update tasks
        set    state = 12, owner = @owner, epoch = epoch + 1, attempt = attempt + 1, started = @now
        where  id = @id
        """;

    private void Reserve(ReserveOperation waiting, long queue, string queueName)
    {
        if (IsPaused(queue))
        {
            return;
        }

        var first = waiting.Reserved.Count;
        var passed = 0;
        List<(long Id, long Name)>? unknown = null;
        List<long>? expired = null;
        var ready = Database.Statement(SelectReadySql).With(queue);
        while (waiting.HasRoom && passed < LookPast && ready.Step())
        {
            if (!ready.IsNull(8) && ready.Int64(8) <= _now)
            {
                passed++;
                (expired ??= []).Add(ready.Int64(0));
            }
            else if (waiting.Knows(ready.Int64(1)))
            {
                waiting.Reserved.Add(ReadReady(ready, waiting.Owner, queueName));
            }
            else
            {
                passed++;
                (unknown ??= []).Add((ready.Int64(0), ready.Int64(1)));
            }
        }

        ready.Reset();
        foreach (var task in CollectionsMarshal.AsSpan(waiting.Reserved)[first..])
        {
            Database.Statement(StartSql).With(waiting.Owner).With(_now).With(task.Lease.Id.Value).Execute();
        }

        expired?.ForEach(Expire);
        _goesOn |= expired is not null; // What stands behind them may not have been seen.

        if (unknown is not null)
        {
            ParkUnknown(unknown);
        }
    }

    private ReservedTask ReadReady(SqliteStatement row, long owner, string queue) => new()
    {
        Lease = new TaskLease { Id = new TaskId(row.Int64(0)), Owner = new WorkerId(owner), Epoch = row.Int64(3) + 1 },
        Name = _names.TextOf(Database, row.Int64(1)),
        Queue = queue,
        Attempt = row.Int32(4) + 1,
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(6)),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(row.Int64(2)),
        Timeout = row.IsNull(7) ? null : TimeSpan.FromMilliseconds(row.Int64(7)),
        Retry = RetryText.Read(row.IsNull(9) ? null : row.Text(9), row.Int32(5)),
        Trace = row.IsNull(10) ? null : row.Text(10),
        Payload = row.Blob(11),
    };

    // language=sqlite
    private const string AnybodyKnowsSql = "select 1 from worker_names where name = @name limit 1";

    // language=sqlite
    private const string ParkSql = "update tasks set state = 11, parked = 1, due = @due where id = @id";

    /// <summary>A task whose name no live worker knows is put aside, so that it neither blocks others nor burns attempts.</summary>
    private void ParkUnknown(List<(long Id, long Name)> tasks)
    {
        var due = _now + (long)Defaults.UnknownNameParking.TotalMilliseconds;
        foreach (var (id, name) in tasks)
        {
            if (Database.Statement(AnybodyKnowsSql).With(name).Scalar() is null)
            {
                Database.Statement(ParkSql).With(due).With(id).Execute();
                var text = _names.TextOf(Database, name);
                _reports.Add(() => Log.Parked(_logger, id, text, Defaults.UnknownNameParking));
                _nextDue = Math.Min(_nextDue, due);
            }
        }
    }

    /// <summary>After the commit: who got something hears of it, and waits no more.</summary>
    private void DeliverReserved()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (_waiting[i] is { Reserved.Count: > 0 } filled)
            {
                _waiting.RemoveAt(i);
                filled.Complete();
            }
        }
    }

    /// <summary>After a rollback: nobody got anything, unless the commit was done after all.</summary>
    private void TakeBackReserved()
    {
        foreach (var waiting in _waiting)
        {
            if (_commitIsUnknown)
            {
                _undelivered.AddRange(waiting.Reserved.Select(task => task.Lease));
            }

            waiting.TakeBack();
        }

        _commitIsUnknown = false;
    }

    private void ReleaseUndelivered()
    {
        foreach (var lease in _undelivered)
        {
            Release(lease);
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

    /// <summary>A worker that waits for tasks. It stays in the writer's list until it has some, or its wait ends.</summary>
    private sealed class ReserveOperation(SqliteBackend backend, ReserveRequest request) : Operation<IReadOnlyList<ReservedTask>>
    {
        private LocalWorker? _worker;
        private Dictionary<long, bool>? _takesQueue; // What was found of a queue, by its number.

        internal SqliteBackend Backend => backend;

        internal override TurnPart Part => TurnPart.Note;

        internal long Owner => request.Owner.Value;

        internal IReadOnlyList<QueueSubscription> Queues => request.Queues;

        /// <summary>The places of its queues, in the order in which they are looked at this time.</summary>
        internal int[] NextOrder() => _worker!.Rotation.Next(request.Queues);

        internal List<ReservedTask> Reserved { get; } = new(Math.Min(request.MaxTasks, 64));

        /// <summary>When its wait ends, on the monotonic clock: counted from the call, not from when the writer saw it.</summary>
        internal long Deadline { get; } = request.Wait == Timeout.InfiniteTimeSpan
            ? long.MaxValue
            : backend._time.GetTimestamp() + (long)(request.Wait.TotalSeconds * backend._time.TimestampFrequency);

        internal bool HasRoom =>
            Reserved.Count < request.MaxTasks && (request.FreeSlots is null || Reserved.Count < request.FreeSlots());

        /// <summary>The version of what is ready of which it has seen everything.</summary>
        internal long SeenVersion { get; set; } = -1;

        internal override void Run()
        {
            if (!backend._workers.TryGetValue(request.Owner.Value, out _worker))
            {
                Fail(new WorkerLostException(request.Owner));
                return;
            }

            backend._waiting.Add(this);
        }

        internal bool Knows(long name) => _worker!.Names.Contains(name);

        internal bool Takes(long queue, long name)
        {
            if (!Knows(name))
            {
                return false;
            }

            _takesQueue ??= [];
            if (!_takesQueue.TryGetValue(queue, out var takes))
            {
                var text = backend._names.TextOf(backend.Database, queue);
                takes = request.Queues.Any(subscription => subscription.Matches(text));
                _takesQueue.Add(queue, takes);
            }

            return takes;
        }

        /// <summary>After a rollback: it got nothing, and names that were new in it may be given other numbers.</summary>
        internal void TakeBack()
        {
            Reserved.Clear();
            _takesQueue = null;
        }

        internal override void Complete()
        {
            Result = Reserved;
            base.Complete();
        }
    }

    /// <summary>The caller's wait was cancelled: it is told so, unless it has been given something.</summary>
    private sealed class EndReserveNote(ReserveOperation operation) : Operation
    {
        internal override TurnPart Part => TurnPart.Note;

        internal override void Run()
        {
            if (operation.Backend._waiting.Remove(operation))
            {
                operation.Complete();
            }
        }

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception)
        {
        }
    }
}
