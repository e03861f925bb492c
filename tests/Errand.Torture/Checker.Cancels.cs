namespace Errand.Torture;

/// <summary>What was cancelled stays cancelled.</summary>
internal sealed partial class Checker
{
    /// <summary>Tasks that were started, or ended otherwise, although they had been cancelled.</summary>
    internal int Uncancelled { get; private set; }

    /// <summary>Cancels that were answered before the task had ended.</summary>
    internal int Cancels { get; private set; }

    private void CheckCancels(long id, List<Event> events, Final? final, List<(Event Asked, Event? Answer)> replays)
    {
        foreach (var answer in events.Where(one => one.Kind == EventKind.CancelAnswered))
        {
            var asked = events.FindLast(one =>
                one.Kind == EventKind.Cancel && one.Process == answer.Process && one.Ticks <= answer.Ticks) ?? answer;
            var wasReplayed = replays.Exists(replay => (replay.Answer?.Ticks ?? long.MaxValue) > asked.Ticks);
            var isKept = (CancelOutcome)answer.Value switch
            {
                CancelOutcome.Cancelled => final is { State: 22 } && !WasStartedAfter(answer, final),
                CancelOutcome.Requested when wasReplayed => true, // It had failed for good, and began anew.
                CancelOutcome.Requested => final is not null && EndsWhatRan(answer, events, final) && !WasStartedAfter(answer, final),
                CancelOutcome.AlreadyFinished =>
                    wasReplayed || final is null || final.Finished <= Wall(answer.Ticks) + Milliseconds(Tolerance),
                _ => !events.Exists(one => one.Kind == EventKind.Enqueued && one.Ticks < asked.Ticks),
            };
            Cancels += answer.Value is (long)CancelOutcome.Cancelled or (long)CancelOutcome.Requested ? 1 : 0;
            if (!isKept)
            {
                Uncancelled++;
                Say($"cancel: task {id} was answered {(CancelOutcome)answer.Value} at {Wall(answer.Ticks)}; the database has {final}, "
                    + $"started {string.Join(", ", final?.Starts?.Select(start => $"{start.Key} at {start.Value}") ?? [])}");
            }
        }
    }

    /// <summary>
    /// Whether the store itself says that it started a task after a cancel was answered. When a handler began does not tell: its
    /// process may have stood still, or been slow, since its reserve.
    /// </summary>
    private bool WasStartedAfter(Event answer, Final final) =>
        final.Starts?.Values.Any(started => started > Wall(answer.Ticks) + Milliseconds(Tolerance)) == true;

    /// <summary>
    /// A task that ran when it was cancelled ends as cancelled or succeeded, or because its handler failed it for good; and where its
    /// attempt was settled after the answer, no start follows, whatever the settlement.
    /// </summary>
    private static bool EndsWhatRan(Event answer, List<Event> events, Final final) =>
        final.State is 20 or 22 or 21
        && (final.State != 21 || events.Exists(one =>
            one.Kind == EventKind.Settle && one.Epoch == final.Epoch && one.Value == (long)Outcome.Failure))
        && !events.Exists(settled => settled.Kind == EventKind.Settled && settled.Epoch < final.Epoch
            && events.Find(one => one.Kind == EventKind.Settle && one.Epoch == settled.Epoch)?.Ticks > answer.Ticks);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
