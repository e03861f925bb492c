namespace Errand.Torture;

/// <summary>Unique keys: one task of each at a time, and who is refused is told of the one that has it.</summary>
internal sealed partial class Checker
{
    /// <summary>Tasks that were made although another had their key; and refusals without a reason.</summary>
    internal int Twins { get; private set; }

    /// <summary>Enqueues that were answered that another task has the key.</summary>
    internal int Refusals { get; private set; }

    private void CheckKeys(Dictionary<long, List<Event>> byTask, Dictionary<long, Final> finals)
    {
        var holders = byTask.Select(task => HolderOf(task.Key, task.Value, finals.GetValueOrDefault(task.Key)))
            .OfType<Holder>().ToDictionary(holder => holder.Id);
        foreach (var (id, events) in byTask)
        {
            CheckRefusals(id, events, finals, holders);
        }

        foreach (var rivals in holders.Values.Where(holder => holder.BornBy < long.MaxValue).GroupBy(holder => holder.Key))
        {
            var all = rivals.OrderBy(holder => holder.BornBy).ToArray();
            for (var i = 0; i < all.Length; i++)
            {
                for (var j = i + 1; j < all.Length; j++)
                {
                    if (AreTwins(all[i], all[j]))
                    {
                        Twins++;
                        Say($"twins: tasks {all[i].Id} and {all[j].Id} have the key '{rivals.Key}' at one time");
                    }
                }
            }
        }
    }

    /// <summary>
    /// What is certain of a task with a key, on the monotonic clock: that it was not made before it was asked for, that it was there
    /// when it was acknowledged or started, and that it lived until the store says that it ended. What is run again has had a life
    /// before, of which the end is not known.
    /// </summary>
    private Holder? HolderOf(long id, List<Event> events, Final? final)
    {
        if (events.Find(one => one is { Kind: EventKind.Enqueue, Key: not null }) is not { } asked)
        {
            return null;
        }

        var born = events.Find(one => one.Kind is EventKind.Enqueued or EventKind.Started)?.Ticks ?? long.MaxValue;
        var until = final is null ? 0 : Ticks(final.Finished);
        var holder = new Holder(id, asked.Key!, asked.Ticks, born, born, until, EndOf(events, final), asked.Other);
        return ReplaysOf(events) switch
        {
            [] => holder,
            [.., (_, { } answer)] replays when replays.TrueForAll(replay => replay.Answer is not null) =>
                holder with { LivesFrom = Math.Max(born, answer.Ticks), EndedBy = long.MaxValue },
            _ => holder with { LivesUntil = 0, EndedBy = long.MaxValue },
        };
    }

    /// <summary>By when a task had ended: when its worker was told so, or who cancelled it.</summary>
    private static long EndOf(List<Event> events, Final? final) => events.Find(one => one.Kind switch
    {
        EventKind.Settled => one.Epoch == final?.Epoch
            && (Outcome)one.Value is Outcome.Success or Outcome.Failure or Outcome.Cancelled,
        EventKind.CancelAnswered => one.Value == (long)CancelOutcome.Cancelled,
        _ => false,
    })?.Ticks ?? long.MaxValue;

    /// <summary>
    /// Whether the second was made while the first lived or kept its key, or both lived at one moment, whatever the clocks and however
    /// long the answers took.
    /// </summary>
    private static bool AreTwins(Holder one, Holder other) =>
        WasMadeDuring(one, other) || WasMadeDuring(other, one)
        || Math.Max(one.LivesFrom, other.LivesFrom) < Math.Min(one.LivesUntil, other.LivesUntil);

    private static bool WasMadeDuring(Holder first, Holder second) =>
        (second.AskedAt > first.LivesFrom && second.BornBy < first.LivesUntil)
        || (second.AskedAt > first.BornBy && second.BornBy < first.AskedAt + ((first.Period - Milliseconds(Tolerance)) * TicksPerMillisecond));

    /// <summary>
    /// The one that a refused caller is told of had the key, and had not certainly given it back; and a task that was refused is not
    /// there, unless an earlier try had made it after all.
    /// </summary>
    private void CheckRefusals(long id, List<Event> events, Dictionary<long, Final> finals, Dictionary<long, Holder> holders)
    {
        foreach (var refused in events.Where(one => one.Kind == EventKind.Refused))
        {
            Refusals++;
            var asked = events.FindLast(one => one.Kind == EventKind.Enqueue && one.Ticks <= refused.Ticks)!;
            var isRight = holders.TryGetValue(refused.Other, out var holder) && holder.Key == asked.Key && holder.AskedAt <= refused.Ticks
                && !HadGivenItsKeyBack(holder, asked.Ticks)
                && !events.Exists(one => one.Kind == EventKind.Enqueued && one.Ticks < asked.Ticks)
                && (!finals.ContainsKey(id) || events.Count(one => one.Kind == EventKind.Enqueue) > 1);
            if (!isRight)
            {
                Twins++;
                Say($"refused: task {id} with the key '{asked.Key}' was refused for task {refused.Other}, {holder}");
            }
        }
    }

    private static bool HadGivenItsKeyBack(Holder holder, long asked) =>
        holder.EndedBy < asked && holder.BornBy < long.MaxValue
        && (holder.Period == 0 || asked > holder.BornBy + ((holder.Period + Milliseconds(Tolerance)) * TicksPerMillisecond));

    /// <summary>When, on the monotonic clock; not later.</summary>
    private long Ticks(long wall) => (wall - _wallAtZero - Milliseconds(Tolerance)) * TicksPerMillisecond;

    /// <summary>What is certain of a task with a key, in ticks.</summary>
    /// <param name="Id">The task.</param>
    /// <param name="Key">Its key.</param>
    /// <param name="AskedAt">Not made before this.</param>
    /// <param name="BornBy">Made before this.</param>
    /// <param name="LivesFrom">From here on it lived...</param>
    /// <param name="LivesUntil">...until here at least.</param>
    /// <param name="EndedBy">Ended before this.</param>
    /// <param name="Period">How long it keeps its key in any case, in milliseconds from when it was made.</param>
    private sealed record Holder(
        long Id, string Key, long AskedAt, long BornBy, long LivesFrom, long LivesUntil, long EndedBy, long Period);
}
