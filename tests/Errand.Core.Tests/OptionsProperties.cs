using System.Text;
using Errand.TestKit;
using FsCheck;
using FsCheck.Fluent;

namespace Errand.Tests;

/// <summary>What holds for all options, filters and subscriptions, with any text in them.</summary>
public sealed class OptionsProperties
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    private static readonly Gen<EnqueueOptions> Options =
        from id in Draw.Mostly<long?>(null, 1, EnqueueOptions.MaxId, EnqueueOptions.MaxId + 1, 0, -1, long.MaxValue)
        from queue in Gen.Frequency((3, Draw.Name), (1, Draw.Text))
        from delay in Draw.Mostly<TimeSpan?>(null, [.. Nullable(Draw.AroundOf(TimeSpan.Zero, Longest))])
        from due in Gen.Frequency((3, Gen.Constant<DateTimeOffset?>(null)), (1, Draw.AnyMoment.OrNull()))
        from expires in Gen.Frequency((3, Gen.Constant<DateTimeOffset?>(null)), (1, Draw.AnyMoment.OrNull()))
        from key in Draw.Text.OrNothing()
        from period in Draw.Mostly<TimeSpan?>(null, [.. Nullable(Draw.AroundOf(TimeSpan.FromMilliseconds(1), Longest))])
        from timeout in Draw.Mostly<TimeSpan?>(
            null, [Timeout.InfiniteTimeSpan, .. Nullable(Draw.AroundOf(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(30)))])
        from retry in Gen.Frequency((1, Gen.Constant<RetryPolicy?>(null)), (1, Draw.Policy.Select(policy => (RetryPolicy?)policy)))
        select new EnqueueOptions
        {
            Id = (TaskId?)id, Queue = queue, Delay = delay, DueAt = due, ExpiresAt = expires, UniqueKey = key, UniqueFor = period,
            Timeout = timeout, Retry = retry,
        };

    private static readonly Gen<QueueSubscription> Subscriptions =
        from queue in Gen.OneOf(Draw.Name, Draw.Name.Select(name => name + "*"), Gen.Constant("*"), Draw.Text)
        from weight in Draw.Mostly(1, 2, 1_000, 1_001, 0, -1, int.MaxValue, int.MinValue)
        select new QueueSubscription(queue, weight);

    private static readonly Gen<TaskFilter> Filters =
        from queue in Gen.OneOf(Draw.Name, Draw.Text).OrNothing()
        from name in Gen.OneOf(Draw.Name, Draw.Text).OrNothing()
        from states in Gen.Frequency((9, Gen.Elements(Enum.GetValues<TaskState>())), (1, Gen.Choose(-1, 30).Select(one => (TaskState)one)))
            .ListOf(2)
        from error in Draw.Text.OrNothing()
        select new TaskFilter { Queue = queue, Name = name, States = [.. states], ErrorContains = error };

    [Fact]
    public void Enqueue_options_are_accepted_exactly_when_their_documentation_allows_them() => Always.Holds(
        Options,
        options =>
        {
            var isAllowed = options.Id?.Value is null or (>= 1 and <= (1L << 53) - 1)
                && (options.Queue is null || IsName(options.Queue))
                && IsWithin(options.Delay, TimeSpan.Zero, Longest)
                && (options.DueAt is null || options.DueAt.Value.UtcDateTime.Year >= 1970)
                && (options.ExpiresAt is null || options.ExpiresAt.Value.UtcDateTime.Year >= 1970)
                && !(options.Delay is not null && options.DueAt is not null)
                && !(options.ExpiresAt <= options.DueAt)
                && (options.UniqueKey is null || IsText(options.UniqueKey, 512))
                && IsWithin(options.UniqueFor, TimeSpan.FromMilliseconds(1), Longest)
                && !(options.UniqueFor is not null && options.UniqueKey is null)
                && (options.Timeout == Timeout.InfiniteTimeSpan
                    || IsWithin(options.Timeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(30)));
            Assert.Equal(isAllowed, Accepts(options.Validate));
        },
        count: 10_000);

    [Fact]
    public void A_filter_is_accepted_exactly_when_its_documentation_allows_it() => Always.Holds(
        Filters,
        filter =>
        {
            var isAllowed = (filter.Queue is null || IsName(filter.Queue)) && (filter.Name is null || IsName(filter.Name))
                && filter.States.All(Enum.IsDefined)
                && (filter.ErrorContains is null || IsText(filter.ErrorContains, 1_024));
            Assert.Equal(isAllowed, Accepts(() => filter.Validated()));
        },
        count: 10_000);

    [Fact]
    public void A_filter_asks_for_the_states_that_it_names_or_for_all() => Always.Holds(
        from filter in Filters
        from state in Gen.Elements(Enum.GetValues<TaskState>())
        select (filter, state),
        drawn =>
        {
            var (filter, state) = drawn;
            Assert.Equal(filter.States.Contains(state), filter.Asks(state));
            Assert.True((filter with { States = [] }).Asks(state));
        });

    [Fact]
    public void A_subscription_is_accepted_exactly_when_its_documentation_allows_it() => Always.Holds(
        Subscriptions,
        subscription =>
        {
            var queue = subscription.Queue;
            var isAllowed = subscription.Weight is >= 1 and <= 1_000
                && (queue == "*" || IsName(queue.EndsWith('*') ? queue[..^1] : queue));
            Assert.Equal(isAllowed, AreAccepted(subscription));
        },
        count: 10_000);

    [Fact]
    public void Subscriptions_are_accepted_when_there_are_1_to_100_of_different_queues() => Always.Holds(
        from count in Gen.OneOf(Gen.Choose(0, 120), Gen.Elements(0, 1, 100, 101))
        from twice in Gen.Choose(0, 3).Select(one => one == 0)
        select (count, twice),
        drawn =>
        {
            QueueSubscription[] queues = [.. Enumerable.Range(0, drawn.count).Select(number => new QueueSubscription($"q{number}"))];
            QueueSubscription[] all = drawn.twice ? [.. queues, new("q0", 2)] : queues;
            Assert.Equal(all.Length is >= 1 and <= 100 && !(drawn.twice && queues.Length > 0), AreAccepted(all));
        });

    [Fact]
    public void A_subscription_that_is_accepted_is_read_as_it_is_written() => Always.Holds(
        Subscriptions.Where(one => AreAccepted(one)), one => Assert.Equal(one, QueueSubscription.Read(one.ToString())));

    [Fact]
    public void Any_text_is_read_as_a_subscription_without_an_exception_and_written_as_it_was_or_refused() => Always.Holds(
        Draw.Text,
        text =>
        {
            var read = QueueSubscription.Read(text);
            Assert.True(read.ToString() == text || !AreAccepted(read) || IsWrittenOtherwise(text, read), text);
        },
        count: 10_000);

    /// <summary>A weight with leading zeros, or of 1.</summary>
    private static bool IsWrittenOtherwise(string text, QueueSubscription read) =>
        text.StartsWith(read.Queue + "=", StringComparison.Ordinal) && text[(read.Queue.Length + 1)..].TrimStart('0') == $"{read.Weight}";

    [Fact]
    public void A_subscription_matches_its_queue_or_what_begins_as_its_pattern() => Always.Holds(
        from subscription in Subscriptions
        from end in Draw.Text
        from other in Draw.Text
        select (subscription, end, other),
        drawn =>
        {
            var queue = drawn.subscription.Queue;
            var begin = queue.EndsWith('*') ? queue[..^1] : null;
            foreach (var name in (string[])[queue, begin + drawn.end, drawn.other])
            {
                Assert.Equal(
                    begin is null ? name == queue : name.StartsWith(begin, StringComparison.Ordinal), drawn.subscription.Matches(name));
            }
        },
        count: 10_000);

    private static bool Accepts(Action validate) => Record.Exception(validate) switch
    {
        null => true,
        InvalidOptionsException { Problems.Count: > 0 } => false,
        var other => throw new InvalidOperationException("It threw something else.", other),
    };

    private static bool AreAccepted(params QueueSubscription[] queues)
    {
        var problems = new OptionProblems(nameof(TaskWorkerOptions));
        QueueSubscription.CollectProblems(queues, problems);
        return problems.ToException().Problems.Count == 0;
    }

    private static bool IsName(string text) =>
        text.Length is >= 1 and <= 128 && text.All(one => char.IsLetterOrDigit(one) || "._-:/".Contains(one, StringComparison.Ordinal));

    /// <summary>As UTF-8 would not carry half a pair, whatever comes back differs from it.</summary>
    private static bool IsText(string text, int maxLength) => text.Length >= 1 && text.Length <= maxLength
        && !text.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;

    private static bool IsWithin(TimeSpan? time, TimeSpan low, TimeSpan high) => time is null || (time >= low && time <= high);

    private static IEnumerable<TimeSpan?> Nullable(TimeSpan[] times) => times.Select(time => (TimeSpan?)time);
}
