namespace Errand.Sqlite.Reserve;

/// <summary>A worker of this process that waits for tasks, with what this transaction has started for it.</summary>
internal sealed class Waiting(Reserving reserving, ReserveRequest request, TimeProvider time) : WaitingWorker<Turn>(request, time)
{
    private LocalWorker? _worker;
    private Dictionary<long, bool>? _takesQueue; // What was found out about a queue, by its number.

    private Dictionary<string, QueueRound>? _rounds; // By pattern.

    /// <summary>What this transaction has started for it.</summary>
    internal List<RunningTask> Started { get; } = [];

    /// <summary>The worker that waits; null before the writer has seen it.</summary>
    internal LocalWorker? Worker => _worker;

    internal bool HasRoom => Started.Count < Request.MaxTasks && Started.Count < FreeSlots();

    internal override void Hear()
    {
        _worker = reserving.WorkerOf(Owner);
        if (_worker is null)
        {
            Fail(new WorkerLostException(new WorkerId(Owner)));
            return;
        }

        reserving.Add(this);
    }

    /// <summary>The places of its queues, in the order in which they are looked at this time.</summary>
    internal int[] NextOrder() => _worker?.Rotation.Next(Request.Queues) ?? [];

    internal bool Knows(long name) => _worker?.Knows(name) == true;

    internal bool Takes(Turn turn, long queue, long name)
    {
        if (!Knows(name))
        {
            return false;
        }

        _takesQueue ??= [];
        if (!_takesQueue.TryGetValue(queue, out var takes))
        {
            var text = turn.TextOf(queue);
            takes = Request.Queues.Any(subscription => subscription.Matches(text));
            _takesQueue.Add(queue, takes);
        }

        return takes;
    }

    /// <summary>How far it has come with the queues of a pattern since tasks became ready.</summary>
    internal QueueRound RoundOf(QueueSubscription pattern, long version)
    {
        _rounds ??= new Dictionary<string, QueueRound>(StringComparer.Ordinal);
        if (!_rounds.TryGetValue(pattern.Queue, out var round))
        {
            _rounds.Add(pattern.Queue, round = new QueueRound());
        }

        round.KeepIf(version);
        return round;
    }

    /// <summary>
    /// The transaction was rolled back: it got nothing, and names that were new in it may be given other numbers.
    /// </summary>
    internal void TakeBack()
    {
        Started.Clear();
        ForgetQueues();
    }

    /// <summary>Queues may have other numbers now.</summary>
    internal void ForgetQueues() => _takesQueue = null;

    protected override IReadOnlyList<ReservedTask> Take()
    {
        var taken = new ReservedTask[Started.Count];
        for (var i = 0; i < taken.Length; i++)
        {
            taken[i] = Started[i].Task;
        }

        Started.Clear();
        return taken;
    }
}
