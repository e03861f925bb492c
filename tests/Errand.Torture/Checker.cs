using System.Diagnostics;

namespace Errand.Torture;

/// <summary>A task as the drained database has it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="State">How it ended.</param>
/// <param name="Epoch">Its last start.</param>
/// <param name="Attempt">The attempts that it was charged.</param>
/// <param name="Result">Its result.</param>
/// <param name="Effects">Rows that it wrote.</param>
/// <param name="Finished">When it ended, ms UTC by the store's clock.</param>
/// <param name="Starts">When it was started, by epoch and the store's clock, as far as the store keeps that.</param>
internal sealed record Final(
    long Id, int State, long Epoch, int Attempt, long? Result, int Effects = 0, long Finished = 0,
    IReadOnlyDictionary<long, long>? Starts = null);

/// <summary>What is wrong with a history, each a count and its first examples. Pure: it is given everything.</summary>
internal sealed partial class Checker
{
    /// <summary>What clocks and the notes of events may be apart.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(50);

    private readonly List<string> _examples = [];

    internal int Lost { get; private set; }

    internal int Invented { get; private set; }

    internal int Overlapping { get; private set; }

    internal int StaleWrites { get; private set; }

    /// <summary>Tasks whose effects, written in the transaction that ends them, are not there exactly once: their result, and their row.</summary>
    internal int EffectsNotOnce { get; private set; }

    internal int Untruthful { get; private set; }

    internal int Early { get; private set; }

    internal int Overcharged { get; private set; }

    internal int Tasks { get; private set; }

    internal int Starts { get; private set; }

    internal int Fences { get; private set; }

    internal int Reclaims { get; private set; }

    internal int Kills { get; private set; }

    internal IReadOnlyList<string> Examples => _examples;

    internal bool IsOk =>
        Lost + Invented + Overlapping + StaleWrites + EffectsNotOnce + Untruthful + Early + Overcharged + Miscounted + WrongEnds
        + Uncancelled + Twins + Unexpired + WhilePaused == 0;

    /// <summary>A run in which nothing went wrong on the way, or nobody asked for anything, has tested nothing.</summary>
    internal bool HasSeen(bool kills) =>
        Fences > 0 && Reclaims > 0 && (Kills > 0 || !kills) && Cancels > 0 && Refusals > 0 && Retries > 0 && Pauses > 0;

    internal void Check(IReadOnlyList<Event> history, IReadOnlyCollection<Final> finals, TimeSpan lease)
    {
        var final = finals.ToDictionary(one => one.Id);
        var byTask = history.Where(one => one.Id != 0).GroupBy(one => one.Id).ToDictionary(group => group.Key, group => group.ToList());
        var kills = history.Where(one => one.Kind == EventKind.Killed).ToLookup(one => one.Process);
        var beats = history.GroupBy(one => one.Process).ToDictionary(group => group.Key, BeatsOf);
        Kills = kills.Sum(group => group.Count());
        Tasks = byTask.Count;
        _wallAtZero = history.Where(one => one.Kind == EventKind.Clock)
            .Select(clock => clock.Value - (clock.Ticks / TicksPerMillisecond)).DefaultIfEmpty().Max(); // Read just before it was noted.
        Retries = history.Count(one => one is { Kind: EventKind.Settled, Value: (long)Outcome.Retry });
        Snoozes = history.Count(one => one is { Kind: EventKind.Settled, Value: (long)Outcome.Snoozed });
        foreach (var (id, events) in byTask)
        {
            var limit = events.FirstOrDefault(one => one.Kind == EventKind.Enqueued)?.Value;
            if (limit is not null && !final.ContainsKey(id))
            {
                Lost++;
                Say($"lost: task {id} was acknowledged and is not among the finished");
            }

            if (events.Count(one => one is { Kind: EventKind.Enqueued, Other: 1 }) > 1)
            {
                Lost++;
                Say($"lost: two tasks were each told that they are the new task {id}");
            }

            // By epoch: a handler whose process was stopped after its reserve may start later than that of the next epoch.
            var starts = events.Where(one => one.Kind == EventKind.Started).OrderBy(one => one.Epoch).ToList();
            var end = final.GetValueOrDefault(id);
            var replays = ReplaysOf(events);
            CheckStarts(id, starts, events, kills, beats, lease);
            Replays += replays.Count;
            CheckAttempts(id, starts, events, limit);
            CheckSettlements(id, events, end);
            CheckCancels(id, events, end, replays);
            if (end is not null)
            {
                CheckEnd(id, events, end, limit, replays);
                CheckExpiry(id, events, end, replays);
            }

            if (limit is not null && end?.Attempt > limit)
            {
                Overcharged++;
                Say($"attempts: task {id} had {end.Attempt} of {limit}");
            }
        }

        CheckKeys(byTask, final);
        CheckPauses(history, byTask, final);
        var enqueued = history.Where(one => one.Kind == EventKind.Enqueue).Select(one => one.Id).ToHashSet();
        foreach (var id in final.Keys.Concat(byTask.Keys).Distinct().Where(id => !enqueued.Contains(id)))
        {
            Invented++;
            Say($"invented: task {id} was never enqueued");
        }
    }

    /// <summary>
    /// Epochs rise and none comes twice; and a later start is right only when the earlier one was settled, its process was dead, or
    /// its lease had run out.
    /// </summary>
    private void CheckStarts(
        long id, List<Event> starts, List<Event> events, ILookup<string, Event> kills, Dictionary<string, long[]> beats,
        TimeSpan lease)
    {
        Starts += starts.Count;
        for (var i = 0; i < starts.Count; i++)
        {
            var start = starts[i];
            if (start.Value > 1)
            {
                Early++;
                Say($"early: task {id} started {start.Value} ms before it was due");
            }

            if (i == 0)
            {
                continue;
            }

            Reclaims++;
            var last = starts[i - 1];
            var isOver = events.Any(one => one.Kind == EventKind.Settle && one.Epoch == last.Epoch && one.Ticks < start.Ticks)
                || kills[last.Process].Any(kill => kill.Ticks < start.Ticks) // Noted before it is done: it may run on for a moment.
                || HadLostItsLease(beats[last.Process], last, start, lease);
            if (!isOver || start.Epoch == last.Epoch)
            {
                Overlapping++;
                Say($"overlapping: task {id} epoch {start.Epoch} in {start.Process} started {start.Since(last)} after epoch "
                    + $"{last.Epoch} in {last.Process}, which was neither settled nor dead");
            }
        }
    }

    /// <summary>When a process tried to say that it lives, and was believed. One without a worker is heard of by what it does first.</summary>
    private static long[] BeatsOf(IEnumerable<Event> events)
    {
        var beats = events.Where(one => one.Kind == EventKind.Beat)
            .Select(beat => beat.Ticks - (beat.Value * Stopwatch.Frequency / 1_000)).Order().ToArray();
        return beats.Length > 0 ? beats : [events.First().Ticks];
    }

    /// <summary>
    /// Whether a process was not heard of for a lease before somebody else started its task. It may have been before its own handler
    /// began: reserved, stopped for long, and begun when the task was another's.
    /// </summary>
    private static bool HadLostItsLease(long[] beats, Event last, Event start, TimeSpan lease)
    {
        for (var i = 0; i < beats.Length && beats[i] < start.Ticks; i++)
        {
            var next = i + 1 < beats.Length ? beats[i + 1] : long.MaxValue;
            var wasSilentFor = Stopwatch.GetElapsedTime(beats[i], Math.Min(next, start.Ticks));
            if (wasSilentFor >= lease - Tolerance && Stopwatch.GetElapsedTime(next, last.Ticks) <= lease)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Nothing of an old epoch is accepted after a newer start, one settlement at most ends a task, and what the store says in the
    /// end is what it told the worker that it said.
    /// </summary>
    private void CheckSettlements(long id, List<Event> events, Final? final)
    {
        Fences += events.Count(one => one.Kind == EventKind.Fenced);
        foreach (var settled in events.Where(one => one.Kind == EventKind.Settled))
        {
            // One whose outcome was unknown is tried again, and told that the first was done; another may have started since.
            var tried = events.First(one => one.Kind == EventKind.Settle && one.Epoch == settled.Epoch);
            if (events.Any(one => one.Kind == EventKind.Started && one.Epoch > settled.Epoch && one.Ticks < tried.Ticks))
            {
                StaleWrites++;
                Say($"stale write: task {id} epoch {settled.Epoch} was settled after a newer start");
            }
        }

        var told = events.Where(one => one is { Kind: EventKind.Settled, Value: (long)Outcome.Success }).ToList();
        var effects = final is { State: 20 } && events.Any(one => one.Kind == EventKind.Enqueue && one.Value == 1) ? 1 : 0;
        if (told.Count > 1 || (final is { State: 20 } && final.Result != final.Epoch) || (final?.Effects ?? effects) != effects)
        {
            EffectsNotOnce++;
            Say($"effect: task {id} succeeded {told.Count} times; the database has {final}");
        }

        if (told.Count > 0 && (final is not { State: 20 } || final.Epoch != told[^1].Epoch))
        {
            Untruthful++;
            Say($"untruthful: task {id} was told that it succeeded in epoch {told[^1].Epoch}; the database has {final}");
        }
    }

    private static readonly long TicksPerMillisecond = Stopwatch.Frequency / 1_000;
    private long _wallAtZero; // What the clock on the wall said when the monotonic one began.

    /// <summary>When, by the clock on the wall, ms UTC.</summary>
    private long Wall(long ticks) => _wallAtZero + (ticks / TicksPerMillisecond);

    private void Say(string example)
    {
        if (_examples.Count < 20)
        {
            _examples.Add(example);
        }
    }
}
