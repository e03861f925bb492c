namespace Errand.Torture;

/// <summary>Expiry, and pauses: what must not be started any more, or for a while.</summary>
internal sealed partial class Checker
{
    /// <summary>
    /// How soon after its answer a pause must be heeded: within a second, by whoever is told last, and what it takes a busy machine to
    /// let him do so.
    /// </summary>
    private static readonly TimeSpan PauseAllowance = TimeSpan.FromMilliseconds(1_500);

    /// <summary>A store may read its clock once to see what has expired, and once more to note the start, and be held up between.</summary>
    private static readonly TimeSpan ReadingAllowance = TimeSpan.FromMilliseconds(250);

    /// <summary>A resume that was never answered may be done this much later.</summary>
    private static readonly TimeSpan ResumeAllowance = TimeSpan.FromSeconds(10);

    /// <summary>Tasks that were started when they had expired, or expired before their time.</summary>
    internal int Unexpired { get; private set; }

    /// <summary>Starts out of queues that were paused.</summary>
    internal int WhilePaused { get; private set; }

    internal int Expiries { get; private set; }

    internal int Pauses { get; private set; }

    /// <summary>By the store's own clock, which alone decides. Who is run again does not expire any more.</summary>
    private void CheckExpiry(long id, List<Event> events, Final final, List<(Event Asked, Event? Answer)> replays)
    {
        var expires = events.Find(one => one.Kind == EventKind.Enqueue)?.Until ?? 0;
        Expiries += final.State == 23 ? 1 : 0;
        var isRight = final.State == 23
            ? expires > 0 && final.Finished >= expires - 1
            : expires == 0 || replays.Count > 0
                || final.Starts?.Values.All(started => started <= expires + Milliseconds(ReadingAllowance)) != false;
        if (!isRight)
        {
            Unexpired++;
            Say($"expiry: task {id} expired at {expires}; the database has {final}, "
                + $"started {string.Join(", ", final.Starts?.Values ?? [])}");
        }
    }

    /// <summary>
    /// What the store says that it started after a pause was heeded, and was started, as its handler shows, before anybody asked for
    /// the queue to be resumed.
    /// </summary>
    private void CheckPauses(IReadOnlyList<Event> history, Dictionary<long, List<Event>> byTask, Dictionary<long, Final> finals)
    {
        var pauses = history.Where(one => one.Kind == EventKind.Paused).Select(paused => PauseOf(paused, history)).OfType<Pause>().ToList();
        foreach (var (id, events) in byTask)
        {
            if (finals.GetValueOrDefault(id)?.Starts is not { } starts)
            {
                continue;
            }

            foreach (var start in events.Where(one => one.Kind == EventKind.Started && starts.ContainsKey(one.Epoch)))
            {
                var started = starts[start.Epoch];
                if (pauses.Find(one => one.Queue == start.Queue && start.Ticks < one.Until && started > one.From) is { } pause)
                {
                    WhilePaused++;
                    Say($"paused: task {id} epoch {start.Epoch} was started {started - pause.From} ms after {pause.Queue} was "
                        + "paused for certain");
                }
            }
        }
    }

    private Pause? PauseOf(Event paused, IReadOnlyList<Event> history)
    {
        Pauses++;
        var ofQueue = history.Where(one => one.Queue == paused.Queue).ToList();
        var asked = ofQueue.Last(one => one.Kind == EventKind.Pause && one.Process == paused.Process && one.Ticks <= paused.Ticks);
        var doubtful = ofQueue.Exists(resume => resume.Kind == EventKind.Resume && resume.Ticks < asked.Ticks
            && asked.Since(resume) < ResumeAllowance
            && !ofQueue.Exists(one => one.Kind == EventKind.Resumed && one.Process == resume.Process
                && one.Ticks > resume.Ticks && one.Ticks < asked.Ticks));
        var until = ofQueue.Find(one => one.Kind == EventKind.Resume && one.Ticks > asked.Ticks)?.Ticks ?? long.MaxValue;
        return doubtful ? null : new Pause(paused.Queue!, Wall(paused.Ticks) + Milliseconds(PauseAllowance), until);
    }

    /// <summary>When a queue was paused for certain.</summary>
    /// <param name="Queue">The queue.</param>
    /// <param name="From">ms UTC: every start that the store dates later was made after the pause was heeded.</param>
    /// <param name="Until">Ticks: every handler that has begun before was started before the resume.</param>
    private sealed record Pause(string Queue, long From, long Until);
}
