using Microsoft.Extensions.Time.Testing;

namespace Errand.Testing;

/// <summary>How an <see cref="ErrandTest"/> runs tasks.</summary>
public sealed record ErrandTestOptions
{
    /// <summary>
    /// The clock, to share it with the code under test. Default is null: one of its own; see <c>AddErrandTesting</c> for that of an
    /// application.
    /// </summary>
    public FakeTimeProvider? Clock { get; init; }

    /// <summary>The queue's limits and JSON. Default is every default.</summary>
    public TaskQueueOptions Queue { get; init; } = new();

    /// <summary>
    /// The worker's queues, JSON, limits and <see cref="TaskWorkerOptions.OnFailure"/>. Its clock must not be set, and
    /// its concurrency means nothing: one task runs at a time. Default is null: every default, and every queue
    /// (<c>*</c>).
    /// </summary>
    public TaskWorkerOptions? Worker { get; init; }

    /// <summary>
    /// How many attempts one call runs before it throws, so that a handler that enqueues itself for ever ends. Default
    /// is 10,000; 1 to 10,000,000.
    /// </summary>
    public int MaxAttempts { get; init; } = 10_000;

    /// <summary>
    /// How long, in real time, a handler may take before the call throws, so that one that waits in vain ends. Default
    /// is 30 seconds; 1 ms to 1 day, or <see cref="Timeout.InfiniteTimeSpan"/>. Means nothing while a debugger is
    /// attached.
    /// </summary>
    public TimeSpan HandlerLimit { get; init; } = TimeSpan.FromSeconds(30);

    internal ErrandTestOptions Validated()
    {
        var problems = new OptionProblems(nameof(ErrandTestOptions));
        CollectProblems(problems);
        problems.ThrowIfAny();
        return this;
    }

    /// <summary>Over an application, whose queue and workers are given.</summary>
    internal ErrandTestOptions ValidatedForHost()
    {
        var problems = new OptionProblems(nameof(ErrandTestOptions));
        CollectProblems(problems);
        foreach (var (name, isSet) in new[] { (nameof(Queue), Queue != new TaskQueueOptions()), (nameof(Worker), Worker is not null) })
        {
            if (isSet)
            {
                problems.Add($"{name} is set; the application's own is tested: change it with AddErrand(errand => errand.Configure{name}(…))");
            }
        }

        problems.ThrowIfAny();
        return this;
    }

    private void CollectProblems(OptionProblems problems)
    {
        problems.Range(MaxAttempts is < 1 or > 10_000_000, nameof(MaxAttempts), MaxAttempts, "1 to 10,000,000");
        problems.Range(
            HandlerLimit != Timeout.InfiniteTimeSpan
                && (HandlerLimit < TimeSpan.FromMilliseconds(1) || HandlerLimit > TimeSpan.FromDays(1)),
            nameof(HandlerLimit), HandlerLimit, "1 ms to 1 day, or Timeout.InfiniteTimeSpan");
        if (Worker is not null && Worker.TimeProvider != TimeProvider.System && Worker.TimeProvider != Clock)
        {
            problems.Add(
                $"{nameof(Worker)}.TimeProvider is set; give the clock as {nameof(Clock)}, which all parts of a test share");
        }
    }
}
