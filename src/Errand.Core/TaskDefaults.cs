namespace Errand;

/// <summary>
/// What tasks are enqueued with where the call does not say it: for all tasks (<see cref="TaskQueueOptions.Defaults"/>), or for one type
/// (<see cref="TaskQueueOptions.ConfigureDefaults{TTask}"/>, [<see cref="TaskDefaultsAttribute"/>]).
/// </summary>
/// <remarks>
/// Each value is looked for by itself: in the <see cref="EnqueueOptions"/> of the call, in the configured defaults of the type, in its
/// attribute, in the defaults for all tasks, and in Errand's own. Values are stored with the task when it is enqueued: later changes of
/// the defaults do not change it.
/// </remarks>
public sealed record TaskDefaults
{
    /// <summary>The queue. Default is null: not said here; 1 to 128 letters, digits and <c>. _ - : /</c>.</summary>
    public string? Queue { get; init; }

    /// <summary>The priority. Default is null: not said here; any <see cref="int"/>.</summary>
    public int? Priority { get; init; }

    /// <summary>
    /// How long one attempt may run. Default is null: not said here; 1 ms to 30 days, or
    /// <see cref="System.Threading.Timeout.InfiniteTimeSpan"/> for no limit.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off. Default is null: not said here.</summary>
    public RetryPolicy? Retry { get; init; }

    internal static TaskDefaults None { get; } = new();

    /// <summary>These defaults, and where they say nothing those below.</summary>
    internal TaskDefaults Over(TaskDefaults below) => new()
    {
        Queue = Queue ?? below.Queue,
        Priority = Priority ?? below.Priority,
        Timeout = Timeout ?? below.Timeout,
        Retry = Retry ?? below.Retry,
    };

    /// <summary>These defaults with what a configuration says: its words win.</summary>
    internal TaskDefaults With(OptionValues values) => this with
    {
        Queue = values.Read(nameof(Queue), Queue),
        Priority = values.Read(nameof(Priority), Priority),
        Timeout = values.Read(nameof(Timeout), Timeout),
        Retry = values.Read(nameof(RetryPolicy.MaxAttempts), (int?)null) is { } attempts
            ? (Retry ?? RetryPolicy.Default) with { MaxAttempts = attempts }
            : Retry,
    };

    internal void CollectProblems(OptionProblems problems) => new EnqueueOptions
    {
        Queue = Queue, Priority = Priority, Timeout = Timeout, Retry = Retry,
    }.CollectProblems(problems);

    internal TaskDefaults Validated()
    {
        var problems = new OptionProblems(nameof(TaskDefaults));
        CollectProblems(problems);
        problems.ThrowIfAny();
        return this;
    }
}
