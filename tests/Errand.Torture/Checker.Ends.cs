namespace Errand.Torture;

/// <summary>What an attempt is charged for, and how a task may end.</summary>
internal sealed partial class Checker
{
    /// <summary>Attempts that were charged for nothing, or not charged.</summary>
    internal int Miscounted { get; private set; }

    /// <summary>Tasks in a final state that nothing in their history leads to.</summary>
    internal int WrongEnds { get; private set; }

    internal int Retries { get; private set; }

    internal int Snoozes { get; private set; }

    internal int Replays { get; private set; }

    /// <summary>
    /// The attempts of two starts that follow one another differ by one after a failure, and not at all after a snooze or a release;
    /// none is above the limit. What was lost with its process may have been given back unnoticed, and is not judged.
    /// </summary>
    private void CheckAttempts(long id, List<Event> starts, List<Event> events, long? limit)
    {
        for (var i = 0; i < starts.Count; i++)
        {
            var (last, start) = (i == 0 ? null : starts[i - 1], starts[i]);
            if (start.Other > limit)
            {
                Overcharged++;
                Say($"attempts: task {id} was started for the {start.Other}. of {limit}");
            }

            var settled = events.Find(one => one.Kind == EventKind.Settled && one.Epoch == last?.Epoch);
            long? charged = (Outcome?)settled?.Value switch
            {
                Outcome.Snoozed or Outcome.Released => 0,
                Outcome.Retry => 1,
                _ => null,
            };
            if (charged is not null && start.Epoch == last!.Epoch + 1 && start.Other != last.Other + charged)
            {
                Miscounted++;
                Say($"attempts: task {id} started attempt {start.Other} in epoch {start.Epoch}, after attempt {last.Other} "
                    + $"ended as {(Outcome)settled!.Value}");
            }
        }
    }

    /// <summary>When somebody asked for a task to run again who was not told no; with the answer where there was one.</summary>
    private static List<(Event Asked, Event? Answer)> ReplaysOf(List<Event> events)
    {
        List<(Event Asked, Event? Answer)> replays = [];
        foreach (var asked in events.Where(one => one.Kind == EventKind.Replay))
        {
            var next = events.Find(one =>
                one.Kind is EventKind.Replay or EventKind.Replayed && one.Process == asked.Process && one.Ticks > asked.Ticks);
            var answer = next is { Kind: EventKind.Replayed } ? next : null; // Else it was trouble, and it may be done.
            if (answer is not { Value: 0 })
            {
                replays.Add((asked, answer));
            }
        }

        return replays;
    }

    /// <summary>The last start there was is the last one known; and each final state has its cause, which is the last.</summary>
    private void CheckEnd(long id, List<Event> events, Final final, long? limit, List<(Event Asked, Event? Answer)> replays)
    {
        var isRight = !events.Exists(one => one.Kind == EventKind.Started && one.Epoch > final.Epoch) && final.State switch
        {
            20 => Tried(Outcome.Success),
            21 => Tried(Outcome.Failure) || limit is null || final.Attempt >= limit,
            22 => events.Exists(one => one.Kind == EventKind.Cancel),
            23 => true, // See CheckExpiry.
            _ => false,
        };
        foreach (var told in events.Where(one => one.Kind == EventKind.Settled))
        {
            isRight &= (Outcome)told.Value switch
            {
                Outcome.Failure when replays.Count == 0 => final.State == 21 && final.Epoch == told.Epoch,
                Outcome.Cancelled => final.State == 22 && final.Epoch == told.Epoch,
                _ => true,
            };
        }

        if (!isRight)
        {
            WrongEnds++;
            Say($"wrong end: nothing in the history of task {id} leads to {final}");
        }

        bool Tried(Outcome how) =>
            events.Exists(one => one.Kind == EventKind.Settle && one.Epoch == final.Epoch && one.Value == (long)how);
    }
}
