using Errand.TestKit;
using FsCheck.Fluent;

namespace Errand.Tests;

/// <summary>What holds for every retry policy.</summary>
public sealed class RetryProperties
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    [Fact]
    public void A_wait_is_never_negative_nor_above_the_longest_with_its_jitter() => Always.Holds(
        from policy in Draw.Policy
        from attempt in Draw.Attempt
        from sample in Draw.Between(0, Math.BitDecrement(1d))
        select (policy, attempt, sample),
        drawn =>
        {
            var wait = Backoff.After(drawn.policy, drawn.attempt, drawn.sample).TotalMilliseconds;
            Assert.InRange(wait, 0, Math.Ceiling(drawn.policy.MaxDelay.TotalMilliseconds * (1 + drawn.policy.Jitter)));
        },
        count: 10_000);

    [Fact]
    public void Without_jitter_no_wait_is_shorter_than_the_one_before() => Always.Holds(
        from policy in Draw.Policy
        from attempt in Draw.Attempt
        select (policy with { Jitter = 0 }, attempt),
        drawn =>
        {
            var (policy, attempt) = drawn;
            Assert.True(Backoff.After(policy, attempt, 0.5) <= Backoff.After(policy, attempt + 1, 0.5));
        },
        count: 10_000);

    [Fact]
    public void The_first_wait_is_the_delay_to_the_nearest_millisecond() => Always.Holds(
        from policy in Draw.Policy
        from sample in Draw.Between(0, Math.BitDecrement(1d))
        select (policy with { Jitter = 0 }, sample),
        drawn =>
        {
            var (policy, sample) = drawn;
            Assert.InRange((Backoff.After(policy, 1, sample) - policy.Delay).TotalMilliseconds, -0.5, 0.5);
        });

    [Fact]
    public void A_sample_lies_between_zero_and_one() => Always.Holds(
        from id in Draw.Between(1, EnqueueOptions.MaxId)
        from attempt in Draw.Attempt
        select (Id: (long)id, attempt),
        drawn => Assert.InRange(Backoff.Sample(drawn.Id, drawn.attempt), 0, Math.BitDecrement(1d)));

    [Fact]
    public void A_wait_that_somebody_chose_is_kept_within_what_a_due_time_can_hold() => Always.Holds(
        Draw.AnyTime,
        chosen =>
        {
            var longest = TimeSpan.FromDays(3650);
            var bounded = Backoff.Bounded(chosen);
            Assert.InRange(bounded, TimeSpan.Zero, longest);
            Assert.Equal(chosen >= TimeSpan.Zero && chosen <= longest, bounded == chosen);
            Assert.Equal(bounded, Backoff.Bounded(bounded));
        });

    [Fact]
    public void A_policy_of_whole_milliseconds_is_read_as_it_was_stored() => Always.Holds(
        Draw.Policy.Select(Whole), policy => Assert.Equal(policy, RetryText.Read(RetryText.Of(policy), policy.MaxAttempts)));

    [Fact]
    public void A_stored_policy_is_shorter_by_less_than_a_millisecond_and_still_allowed() => Always.Holds(
        Draw.Policy,
        policy =>
        {
            var read = RetryText.Read(RetryText.Of(policy), policy.MaxAttempts);
            Assert.Equal(Whole(policy), read);
            Assert.Empty(Problems(read));
        });

    [Fact]
    public void The_default_policy_is_stored_as_nothing_whatever_its_attempts() => Always.Holds(
        Draw.Attempt,
        attempts => Assert.Null(RetryText.Of(RetryPolicy.Default with { MaxAttempts = attempts })));

    [Fact]
    public void A_policy_is_accepted_exactly_when_its_documentation_allows_it() => Always.Holds(
        Draw.AnyPolicy,
        policy =>
        {
            var isAllowed = policy.MaxAttempts is >= 1 and <= 10_000
                && policy.Delay >= TimeSpan.Zero && policy.Delay <= Month
                && policy.MaxDelay >= policy.Delay && policy.MaxDelay <= Month
                && policy.Factor is >= 1 and <= 10
                && policy.Jitter is >= 0 and <= 1;
            Assert.Equal(isAllowed, Problems(policy).Count == 0);
        },
        count: 10_000);

    private static RetryPolicy Whole(RetryPolicy policy) => policy with
    {
        Delay = TimeSpan.FromMilliseconds(policy.Delay.Ticks / TimeSpan.TicksPerMillisecond),
        MaxDelay = TimeSpan.FromMilliseconds(policy.MaxDelay.Ticks / TimeSpan.TicksPerMillisecond),
    };

    private static IReadOnlyList<string> Problems(RetryPolicy policy)
    {
        var problems = new OptionProblems(nameof(RetryPolicy));
        policy.CollectProblems(problems);
        return problems.ToException().Problems;
    }
}
