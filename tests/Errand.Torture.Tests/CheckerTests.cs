using System.Diagnostics;
using Errand.Torture;

namespace Errand.Tests;

/// <summary>The checker on histories that are right, and on the same with one thing wrong.</summary>
public sealed partial class CheckerTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    /// <summary>One task: started by a worker that is killed, taken over, done, and the first one fenced.</summary>
    private static List<Event> Right() =>
    [
        At(0, "producer1-1", EventKind.Enqueue),
        At(1, "producer1-1", EventKind.Enqueued, value: 5),
        At(10, "worker1-1", EventKind.Started, epoch: 1),
        At(20, "worker1-1", EventKind.Killed, id: 0),
        At(30, "worker2-2", EventKind.Started, epoch: 2),
        At(40, "worker2-2", EventKind.Settle, epoch: 2, value: 1),
        At(41, "worker2-2", EventKind.Settled, epoch: 2, value: 1),
        At(50, "worker1-1", EventKind.Fenced, epoch: 1, value: 1),
    ];

    private static readonly Final Done = new(7, 20, 2, 2, 2);

    private static Event At(
        int milliseconds, string process, EventKind kind, long epoch = 0, long value = 0, long id = 7, long other = 0, long until = 0,
        string? queue = null, string? key = null) =>
        new(process, milliseconds * Stopwatch.Frequency / 1_000, kind, id, epoch, value, other, until, queue, key);

    /// <summary>What else a run must have seen: a cancel, a retry, a refusal and a pause, of other tasks.</summary>
    private static List<Event> Everyday() =>
    [
        At(2, "producer1-1", EventKind.Enqueue, id: 1, key: "key"),
        At(3, "producer1-1", EventKind.Enqueued, id: 1, value: 5),
        At(4, "producer1-1", EventKind.Enqueue, id: 2, key: "key"),
        At(5, "producer1-1", EventKind.Refused, id: 2, other: 1),
        At(10, "worker2-2", EventKind.Started, id: 1, epoch: 1, other: 1, queue: "default"),
        At(11, "worker2-2", EventKind.Settle, id: 1, epoch: 1, value: (long)Outcome.Retry),
        At(12, "worker2-2", EventKind.Settled, id: 1, epoch: 1, value: (long)Outcome.Retry),
        At(13, "operator1-1", EventKind.Cancel, id: 1),
        At(14, "operator1-1", EventKind.CancelAnswered, id: 1, value: (long)CancelOutcome.Cancelled),
        At(15, "operator1-1", EventKind.Pause, id: 0, queue: "default"),
        At(16, "operator1-1", EventKind.Paused, id: 0, queue: "default"),
    ];

    private static readonly Final Cancelled = new(1, 22, 1, 1, null, Finished: 14, Starts: new Dictionary<long, long> { [1] = 10 });

    private static Checker Checked(List<Event> history, params Final[] finals)
    {
        var checker = new Checker();
        checker.Check([.. history.OrderBy(one => one.Ticks)], finals, Lease);
        return checker;
    }

    [Fact]
    public void A_right_history_is_ok()
    {
        var checker = Checked([.. Right(), .. Everyday()], Done, Cancelled);
        Assert.True(checker.IsOk && checker.HasSeen(kills: true), string.Join('\n', checker.Examples));
        Assert.Equal((3, 1, 1, 1), (checker.Starts, checker.Reclaims, checker.Kills, checker.Fences));
        Assert.Equal((1, 1, 1, 1), (checker.Cancels, checker.Refusals, checker.Retries, checker.Pauses));
    }

    [Fact]
    public void An_acknowledged_task_that_is_not_there_is_lost() => Assert.Equal(1, Checked(Right()).Lost);

    [Fact]
    public void A_task_that_nobody_enqueued_is_invented() =>
        Assert.Equal(1, Checked(Right(), Done, new Final(8, 20, 1, 1, 1)).Invented);

    [Fact]
    public void A_start_of_a_task_that_nobody_enqueued_is_invented()
    {
        var history = Right();
        history.Add(At(60, "worker2-2", EventKind.Started, id: 9, epoch: 1));
        Assert.Equal(1, Checked(history, Done).Invented);
    }

    [Fact]
    public void A_second_start_while_the_first_lives_and_holds_its_lease_overlaps()
    {
        var history = Right();
        history.RemoveAll(one => one.Kind == EventKind.Killed);
        Assert.Equal(1, Checked(history, Done).Overlapping);
    }

    [Fact]
    public void A_start_in_the_last_moment_of_a_process_that_is_being_killed_does_not_overlap_the_next()
    {
        var history = Right();
        history.RemoveAll(one => one.Kind == EventKind.Killed);
        history.Add(At(9, "worker1-1", EventKind.Killed, id: 0));
        Assert.Equal(0, Checked(history, Done).Overlapping);
    }

    [Fact]
    public void A_second_start_after_the_lease_does_not_overlap()
    {
        var history = Right();
        history.RemoveAll(one => one.Kind is EventKind.Killed or EventKind.Started or EventKind.Settle or EventKind.Settled);
        history.Add(At(10, "worker1-1", EventKind.Started, epoch: 1));
        history.Add(At(1_200, "worker2-2", EventKind.Started, epoch: 2));
        Assert.Equal(0, Checked(history, Done).Overlapping);
    }

    [Theory]
    [InlineData(1_500, 0)]
    [InlineData(300, 1)]
    public void A_late_start_in_a_process_that_stood_still_is_excused_by_the_silence_of_a_lease_and_by_no_shorter(int silence, int overlapping)
    {
        var history = Right();
        history.RemoveAll(one => one.Kind == EventKind.Killed);
        history.Add(At(9 - silence, "worker1-1", EventKind.Beat, id: 0));
        history.Add(At(9, "worker1-1", EventKind.Beat, id: 0));
        Assert.Equal(overlapping, Checked(history, Done).Overlapping);
    }

    [Fact]
    public void A_start_that_comes_long_after_the_one_that_took_its_task_over_is_excused_by_the_silence_before_it()
    {
        var history = Right();
        history.RemoveAll(one => one.Kind is EventKind.Killed or EventKind.Started || one.Process == "worker1-1");
        history.Add(At(-1_000, "worker1-1", EventKind.Beat, id: 0));
        history.Add(At(30, "worker2-2", EventKind.Started, epoch: 2));
        history.Add(At(1_800, "worker1-1", EventKind.Beat, id: 0));
        history.Add(At(1_805, "worker1-1", EventKind.Started, epoch: 1));
        Assert.Equal(0, Checked(history, Done).Overlapping);
    }

    [Fact]
    public void A_second_start_long_after_the_first_overlaps_while_its_process_is_heard_of()
    {
        var history = Right();
        history.RemoveAll(one => one.Kind is EventKind.Killed or EventKind.Started or EventKind.Settle or EventKind.Settled);
        history.Add(At(10, "worker1-1", EventKind.Started, epoch: 1));
        history.AddRange(Enumerable.Range(0, 8).Select(i => At(i * 300, "worker1-1", EventKind.Beat, id: 0)));
        history.Add(At(2_000, "worker2-2", EventKind.Started, epoch: 2));
        Assert.Equal(1, Checked(history, Done).Overlapping);
    }

    [Fact]
    public void An_epoch_that_comes_twice_overlaps()
    {
        var history = Right();
        history.Add(At(35, "worker3-3", EventKind.Started, epoch: 2));
        Assert.True(Checked(history, Done).Overlapping > 0);
    }

    [Fact]
    public void A_settlement_of_an_old_epoch_after_a_newer_start_is_a_stale_write()
    {
        var history = Right();
        history.Add(At(35, "worker1-1", EventKind.Settle, epoch: 1));
        history.Add(At(36, "worker1-1", EventKind.Settled, epoch: 1));
        Assert.Equal(1, Checked(history, Done).StaleWrites);
    }

    [Fact]
    public void Two_successes_of_one_task_are_an_effect_not_once()
    {
        var history = Right();
        history.Add(At(60, "worker2-2", EventKind.Settle, epoch: 2, value: 1));
        history.Add(At(61, "worker2-2", EventKind.Settled, epoch: 2, value: 1));
        Assert.Equal(1, Checked(history, Done).EffectsNotOnce);
    }

    [Theory]
    [InlineData(21, 2, 2)]
    [InlineData(20, 1, 1)]
    public void A_success_that_the_database_tells_otherwise_is_untruthful(int state, long epoch, long result) =>
        Assert.Equal(1, Checked(Right(), new Final(7, state, epoch, 2, result)).Untruthful);

    [Fact]
    public void A_result_of_another_start_is_an_effect_not_once() =>
        Assert.Equal(1, Checked(Right(), Done with { Result = 1 }).EffectsNotOnce);

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(1, 1, 0)]
    [InlineData(1, 2, 1)]
    [InlineData(0, 1, 1)]
    public void A_row_that_is_missing_or_there_too_often_is_an_effect_not_once(long promised, int rows, int notOnce)
    {
        var history = Right();
        history[0] = history[0] with { Value = promised };
        Assert.Equal(notOnce, Checked(history, Done with { Effects = rows }).EffectsNotOnce);
    }

    [Fact]
    public void A_start_before_its_time_is_early()
    {
        var history = Right();
        history[2] = history[2] with { Value = 30 };
        Assert.Equal(1, Checked(history, Done).Early);
    }

    [Fact]
    public void More_attempts_than_allowed_are_overcharged() =>
        Assert.Equal(1, Checked(Right(), Done with { Attempt = 6 }).Overcharged);

    [Theory]
    [InlineData(EventKind.Fenced)]
    [InlineData(EventKind.Killed)]
    [InlineData(EventKind.Refused)]
    [InlineData(EventKind.CancelAnswered)]
    [InlineData(EventKind.Settled)]
    [InlineData(EventKind.Paused)]
    public void A_history_that_lacks_one_of_what_is_to_be_survived_has_tested_nothing(EventKind kind)
    {
        List<Event> history = [.. Right(), .. Everyday()];
        history.RemoveAll(one => one.Kind == kind);
        Assert.False(Checked(history, Done, Cancelled).HasSeen(kills: true));
    }
}
