namespace Errand.Tests;

public sealed class BackoffTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(12, 2_048)]
    [InlineData(13, 3_600)]
    [InlineData(10_000, 3_600)]
    public void The_wait_doubles_from_a_second_to_an_hour(int attempt, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Backoff.After(RetryPolicy.Default, attempt, 0.5));

    [Fact]
    public void Jitter_spreads_a_wait_on_both_sides()
    {
        var policy = new RetryPolicy { Delay = TimeSpan.FromSeconds(100), Jitter = 0.2 };
        Assert.Equal(TimeSpan.FromSeconds(80), Backoff.After(policy, 1, 0));
        Assert.Equal(TimeSpan.FromSeconds(100), Backoff.After(policy, 1, 0.5));
        Assert.Equal(TimeSpan.FromSeconds(110), Backoff.After(policy, 1, 0.75));
    }

    [Fact]
    public void A_factor_of_one_is_a_fixed_delay()
    {
        var policy = new RetryPolicy { Delay = TimeSpan.FromSeconds(7), Factor = 1, Jitter = 0 };
        Assert.All(Enumerable.Range(1, 100), attempt => Assert.Equal(TimeSpan.FromSeconds(7), Backoff.After(policy, attempt, 0.9)));
    }

    [Fact]
    public void The_largest_policy_does_not_overflow()
    {
        var policy = new RetryPolicy { Delay = TimeSpan.FromDays(30), MaxDelay = TimeSpan.FromDays(30), Factor = 10, Jitter = 1 };
        Assert.Equal(TimeSpan.FromDays(60), Backoff.After(policy, 10_000, 1));
        Assert.Equal(TimeSpan.Zero, Backoff.After(policy, 10_000, 0));
    }

    [Fact]
    public void No_delay_stays_none_however_often_it_is_multiplied()
    {
        var policy = new RetryPolicy { MaxAttempts = 10_000, Delay = TimeSpan.Zero };
        Assert.Equal(TimeSpan.Zero, Backoff.After(policy, 1_025, 0.5));
    }

    [Fact]
    public void Samples_repeat_for_the_same_attempt_and_spread_evenly_over_tasks()
    {
        Assert.Equal(Backoff.Sample(5, 2), Backoff.Sample(5, 2));
        var buckets = Enumerable.Range(1, 10_000).GroupBy(id => (int)(Backoff.Sample(id, 1) * 10)).ToDictionary(g => g.Key, g => g.Count());
        Assert.Equal(Enumerable.Range(0, 10), buckets.Keys.Order());
        Assert.All(buckets.Values, count => Assert.InRange(count, 850, 1_150));
    }
}
