using Errand.Torture;

namespace Errand.Tests;

/// <summary>Cancels, retries, replays, unique keys, expiry and pauses: right histories, and the same with one thing wrong.</summary>
public sealed partial class CheckerTests
{
    private const string Worker = "worker1-1";
    private const string Operator = "operator1-1";

    /// <summary>A task with a life of starts, each settled as said 10 ms after it began, 100 ms apart.</summary>
    private static List<Event> Life(params Outcome[] settlements)
    {
        List<Event> history =
        [
            At(0, "producer1-1", EventKind.Enqueue),
            At(1, "producer1-1", EventKind.Enqueued, value: 5),
        ];
        var attempt = 1;
        for (var i = 0; i < settlements.Length; i++)
        {
            history.Add(At((100 * i) + 100, Worker, EventKind.Started, epoch: i + 1, other: attempt, queue: "default"));
            history.Add(At((100 * i) + 110, Worker, EventKind.Settle, epoch: i + 1, value: (long)settlements[i]));
            history.Add(At((100 * i) + 111, Worker, EventKind.Settled, epoch: i + 1, value: (long)settlements[i]));
            attempt += settlements[i] == Outcome.Retry ? 1 : 0;
        }

        return history;
    }

    /// <summary>How the store has it, when all of that went right.</summary>
    private static Final Ended(int state, int starts, int attempt) => new(
        7, state, starts, attempt, state == 20 ? starts : null, Finished: (100 * starts) + 10,
        Starts: Enumerable.Range(1, starts).ToDictionary(epoch => (long)epoch, epoch => 100L * epoch));

    private static List<Event> CancelledAt(int milliseconds, CancelOutcome outcome) =>
    [
        At(milliseconds - 1, Operator, EventKind.Cancel),
        At(milliseconds, Operator, EventKind.CancelAnswered, value: (long)outcome),
    ];

    private static void IsRight(Checker checker) => Assert.True(checker.IsOk, string.Join('\n', checker.Examples));

    [Fact]
    public void Retries_snoozes_and_releases_that_are_counted_right_are_ok() => IsRight(Checked(
        Life(Outcome.Retry, Outcome.Snoozed, Outcome.Released, Outcome.Retry, Outcome.Success), Ended(20, 5, 3)));

    [Theory]
    [InlineData(Outcome.Snoozed, 2)]
    [InlineData(Outcome.Released, 2)]
    [InlineData(Outcome.Retry, 1)]
    [InlineData(Outcome.Retry, 3)]
    public void An_attempt_that_is_charged_for_nothing_or_not_charged_is_miscounted(Outcome settlement, long next)
    {
        var history = Life(settlement, Outcome.Success);
        var second = history.FindLastIndex(one => one.Kind == EventKind.Started);
        history[second] = history[second] with { Other = next };
        Assert.Equal(1, Checked(history, Ended(20, 2, 2)).Miscounted);
    }

    [Fact]
    public void A_start_above_the_limit_is_overcharged_whatever_the_database_says_in_the_end()
    {
        var history = Life(Outcome.Retry, Outcome.Success);
        history[1] = history[1] with { Value = 1 };
        Assert.Equal(1, Checked(history, Ended(20, 2, 1)).Overcharged);
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(20)]
    public void A_final_state_without_a_cause_is_a_wrong_end(int state) =>
        Assert.Equal(1, Checked(Life(Outcome.Retry, Outcome.Retry), Ended(state, 2, 2)).WrongEnds);

    [Fact]
    public void A_failure_for_good_that_is_followed_by_a_start_is_a_wrong_end_unless_somebody_asked_for_it()
    {
        var history = Life(Outcome.Failure, Outcome.Success);
        Assert.Equal(1, Checked(history, Ended(20, 2, 1)).WrongEnds);
        history.Add(At(150, Operator, EventKind.Replay));
        IsRight(Checked(history, Ended(20, 2, 1)));
        history.Add(At(151, Operator, EventKind.Replayed));
        Assert.Equal(1, Checked(history, Ended(20, 2, 1)).WrongEnds);
        history.Add(At(140, Operator, EventKind.Replay)); // To which the no is no answer.
        IsRight(Checked(history, Ended(20, 2, 1)));
    }

    [Fact]
    public void A_start_beyond_the_last_that_the_database_knows_is_a_wrong_end() =>
        Assert.Equal(1, Checked(Life(Outcome.Retry, Outcome.Success), Ended(20, 1, 1) with { Epoch = 1 }).WrongEnds);

    [Fact]
    public void A_task_that_was_cancelled_while_it_waited_stays_so()
    {
        List<Event> history = [.. Life(Outcome.Retry), .. CancelledAt(150, CancelOutcome.Cancelled)];
        IsRight(Checked(history, Ended(22, 1, 1)));
        Assert.Equal(1, Checked(history, Ended(21, 1, 5)).Uncancelled);
        Assert.Equal(1, Checked(history).Uncancelled);
    }

    [Fact]
    public void A_task_that_was_cancelled_while_it_waited_and_starts_afterwards_is_uncancelled()
    {
        List<Event> history = [.. Life(Outcome.Retry, Outcome.Cancelled), .. CancelledAt(130, CancelOutcome.Cancelled)];
        Assert.Equal(1, Checked(history, Ended(22, 2, 2)).Uncancelled);
    }

    [Fact]
    public void A_handler_that_begins_late_after_a_start_before_the_cancel_is_no_start_after_it()
    {
        List<Event> history = [.. Life(), .. CancelledAt(130, CancelOutcome.Cancelled), At(900, Worker, EventKind.Started, epoch: 1)];
        IsRight(Checked(history, Ended(22, 1, 1)));
    }

    [Theory]
    [InlineData(Outcome.Retry, 22)]
    [InlineData(Outcome.Snoozed, 22)]
    [InlineData(Outcome.Released, 22)]
    [InlineData(Outcome.Cancelled, 22)]
    [InlineData(Outcome.Success, 20)]
    [InlineData(Outcome.Failure, 21)]
    public void A_task_that_was_cancelled_while_it_ran_ends_when_that_start_is_settled(Outcome settlement, int state)
    {
        List<Event> history = [.. Life(settlement), .. CancelledAt(105, CancelOutcome.Requested)];
        IsRight(Checked(history, Ended(state, 1, 1)));
    }

    [Theory]
    [InlineData(Outcome.Retry)]
    [InlineData(Outcome.Snoozed)]
    [InlineData(Outcome.Released)]
    public void A_task_that_was_cancelled_while_it_ran_and_starts_again_is_uncancelled(Outcome settlement)
    {
        List<Event> history = [.. Life(settlement, Outcome.Success), .. CancelledAt(105, CancelOutcome.Requested)];
        Assert.Equal(1, Checked(history, Ended(20, 2, 2)).Uncancelled);
    }

    [Fact]
    public void A_task_that_was_cancelled_while_it_ran_and_is_started_again_when_its_process_dies_is_uncancelled()
    {
        List<Event> history =
        [
            .. Life(Outcome.Retry, Outcome.Success), .. CancelledAt(105, CancelOutcome.Requested),
            At(106, Worker, EventKind.Killed, id: 0),
        ];
        history.RemoveAll(one => one.Epoch == 1 && one.Kind is EventKind.Settle or EventKind.Settled);
        Assert.Equal(1, Checked(history, Ended(20, 2, 2)).Uncancelled);
        IsRight(Checked(history, Ended(20, 2, 2) with { Starts = new Dictionary<long, long> { [1] = 50, [2] = 100 } }));
    }

    [Fact]
    public void A_task_that_was_cancelled_while_it_ran_and_failed_for_good_runs_again_when_somebody_asks_for_it()
    {
        List<Event> history =
        [
            .. Life(Outcome.Failure, Outcome.Success), .. CancelledAt(105, CancelOutcome.Requested),
            At(150, Operator, EventKind.Replay), At(151, Operator, EventKind.Replayed, value: 1),
        ];
        IsRight(Checked(history, Ended(20, 2, 1)));
    }

    [Theory]
    [InlineData(180, 0)]
    [InlineData(20, 1)]
    public void A_cancel_that_was_answered_too_late_came_after_the_end(int milliseconds, int uncancelled)
    {
        List<Event> history = [.. Life(Outcome.Success), .. CancelledAt(milliseconds, CancelOutcome.AlreadyFinished)];
        Assert.Equal(uncancelled, Checked(history, Ended(20, 1, 1)).Uncancelled);
    }

    [Fact]
    public void An_acknowledged_task_that_a_cancel_does_not_find_is_uncancelled() => Assert.Equal(
        1, Checked([.. Life(Outcome.Success), .. CancelledAt(50, (CancelOutcome)(-1))], Ended(20, 1, 1)).Uncancelled);

    /// <summary>Task 7 has the key from the first to the 1,000th millisecond; task 8 is asked for within that time.</summary>
    private static List<Event> Rivals(EventKind answer, int asked = 200, long period = 0) =>
    [
        At(0, "producer1-1", EventKind.Enqueue, key: "key", other: period),
        At(1, "producer1-1", EventKind.Enqueued, value: 5),
        At(100, Worker, EventKind.Started, epoch: 1, other: 1),
        At(998, Worker, EventKind.Settle, epoch: 1, value: (long)Outcome.Success),
        At(1_000, Worker, EventKind.Settled, epoch: 1, value: (long)Outcome.Success),
        At(asked, "producer2-2", EventKind.Enqueue, id: 8, key: "key"),
        At(asked + 1, "producer2-2", answer, id: 8, value: 5, other: answer == EventKind.Refused ? 7 : 0),
        At(5_000, Worker, EventKind.Started, id: 8, epoch: 1, other: 1),
        At(5_010, Worker, EventKind.Settle, id: 8, epoch: 1, value: (long)Outcome.Success),
        At(5_011, Worker, EventKind.Settled, id: 8, epoch: 1, value: (long)Outcome.Success),
    ];

    private static readonly Final Holder = new(7, 20, 1, 1, 1, Finished: 999);
    private static readonly Final Rival = new(8, 20, 1, 1, 1, Finished: 5_010);

    private static List<Event> Refused(List<Event> history)
    {
        history.RemoveAll(one => one.Id == 8 && one.Epoch > 0);
        return history;
    }

    [Theory]
    [InlineData(200, 0, 1)]
    [InlineData(990, 0, 0)]
    [InlineData(1_100, 0, 0)]
    [InlineData(1_100, 2_000, 1)]
    [InlineData(2_100, 2_000, 0)]
    public void A_task_that_is_made_while_another_has_its_key_is_a_twin(int asked, long period, int twins) =>
        Assert.Equal(twins, Checked(Rivals(EventKind.Enqueued, asked, period), Holder, Rival).Twins);

    [Fact]
    public void Two_tasks_that_live_at_one_time_are_twins_whoever_was_first()
    {
        var history = Rivals(EventKind.Enqueued);
        history.Add(At(-10, "producer2-2", EventKind.Enqueue, id: 8, key: "key")); // The first answer was lost.
        Assert.Equal(1, Checked(history, Holder, Rival).Twins);
    }

    [Theory]
    [InlineData(200, 0, 0)]
    [InlineData(1_100, 2_000, 0)]
    [InlineData(1_100, 0, 1)]
    [InlineData(2_100, 2_000, 1)]
    public void A_refusal_names_a_task_that_has_the_key(int asked, long period, int twins) =>
        Assert.Equal(twins, Checked(Refused(Rivals(EventKind.Refused, asked, period)), Holder).Twins);

    [Fact]
    public void A_refusal_for_a_task_of_another_key_or_none_is_wrong()
    {
        var history = Refused(Rivals(EventKind.Refused));
        history[0] = history[0] with { Key = "other" };
        Assert.Equal(1, Checked(history, Holder).Twins);
        history[0] = history[0] with { Key = null };
        Assert.Equal(1, Checked(history, Holder).Twins);
    }

    [Fact]
    public void A_task_that_was_refused_and_is_there_is_wrong_unless_an_earlier_answer_was_lost()
    {
        var history = Refused(Rivals(EventKind.Refused));
        var late = Rival with { State = 23, Finished = 6_000 };
        Assert.Equal(1, Checked(history, Holder, late).Twins);
        history.Add(At(150, "producer2-2", EventKind.Enqueue, id: 8, key: "key"));
        Assert.Equal(0, Checked(history, Holder, late).Twins);
    }

    [Fact]
    public void A_task_that_was_acknowledged_is_not_refused_when_it_is_asked_for_again()
    {
        var history = Rivals(EventKind.Enqueued, asked: 1_100);
        history.Add(At(6_000, "producer2-2", EventKind.Enqueue, id: 8, key: "key"));
        history.Add(At(6_001, "producer2-2", EventKind.Refused, id: 8, other: 7));
        Assert.Equal(1, Checked(history, Holder, Rival).Twins);
    }

    [Fact]
    public void A_task_that_runs_again_is_a_twin_of_who_has_taken_its_key_meanwhile_and_not_of_who_had_it()
    {
        List<Event> Replayed(int milliseconds) =>
        [
            .. Rivals(EventKind.Enqueued, asked: 1_100),
            At(milliseconds, Operator, EventKind.Replay), At(milliseconds + 1, Operator, EventKind.Replayed, value: 1),
        ];
        var again = Holder with { Finished = 7_000 };
        Assert.Equal(0, Checked(Replayed(6_000), again, Rival).Twins);
        Assert.Equal(1, Checked(Replayed(3_000), again, Rival).Twins);
    }

    [Theory]
    [InlineData(150, 0)]
    [InlineData(90, 0)]
    [InlineData(-200, 1)]
    public void A_start_of_a_task_that_had_expired_by_the_stores_own_clock_is_wrong(long expires, int wrong)
    {
        var history = Life(Outcome.Success);
        history[0] = history[0] with { Until = expires };
        Assert.Equal(wrong, Checked(history, Ended(20, 1, 1)).Unexpired);
    }

    [Theory]
    [InlineData(150, 200, 0)]
    [InlineData(150, 100, 1)]
    [InlineData(0, 100, 1)]
    public void A_task_expires_at_its_time_and_not_before(long expires, long finished, int wrong)
    {
        var history = Life();
        history[0] = history[0] with { Until = expires };
        var checker = Checked(history, new Final(7, 23, 0, 0, null, Finished: finished));
        Assert.Equal((wrong, 1), (checker.Unexpired, checker.Expiries));
    }

    [Theory]
    [InlineData(4_000, 5_000, 3_990, 1)] // Started when the pause was certain.
    [InlineData(1_400, 5_000, 1_390, 0)] // Too soon to accuse.
    [InlineData(4_000, 5_000, 900, 0)] // Reserved before, begun late.
    [InlineData(5_500, 5_000, 4_900, 0)] // Begun after the resume was asked for: the store's clock alone does not tell.
    public void A_start_out_of_a_paused_queue_is_wrong(int started, int resumed, long byTheStore, int wrong)
    {
        List<Event> history =
        [
            .. Life(), At(started, Worker, EventKind.Started, epoch: 1, other: 1, queue: "default"),
            At(started + 1, Worker, EventKind.Settle, epoch: 1, value: 1),
            At(10, Operator, EventKind.Pause, id: 0, queue: "default"),
            At(20, Operator, EventKind.Paused, id: 0, queue: "default"),
            At(resumed, "supervisor", EventKind.Resume, id: 0, queue: "default"),
        ];
        var final = new Final(7, 20, 1, 1, 1, Finished: 6_000, Starts: new Dictionary<long, long> { [1] = byTheStore });
        Assert.Equal(wrong, Checked(history, final).WhilePaused);
        Assert.Equal(0, Checked([.. history, At(-50, "operator1-0", EventKind.Resume, id: 0, queue: "default")], final).WhilePaused);
    }
}
