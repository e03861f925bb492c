using System.Data.Common;

namespace Errand;

/// <summary>
/// How a task is enqueued. Every property has a default; <c>null</c> options are all defaults. Queue, priority, timeout and retry policy
/// have those of the task's type, if it has any (<see cref="TaskDefaults"/>).
/// </summary>
public sealed record EnqueueOptions
{
    /// <summary>
    /// An id reserved earlier with <see cref="ITaskQueue.NewIdAsync"/>. Enqueueing it again after an unknown outcome returns the
    /// existing task instead of creating a second one. Default is null: the queue assigns one. For <c>EnqueueManyAsync</c> only
    /// where each task has its own options.
    /// </summary>
    /// <remarks>
    /// The id is known for as long as its task is: while the task waits or runs, and then until its retention ends (one day by default;
    /// failed tasks are kept until you remove them). Enqueueing the id after that creates a new task, whose epochs begin again at 1.
    /// Retry an unknown enqueue well within the retention.
    /// </remarks>
    public TaskId? Id { get; init; }

    /// <summary>
    /// The queue. Default is null: that of the <see cref="TaskDefaults"/>, else <c>default</c>; 1 to 128 letters, digits and
    /// <c>. _ - : /</c>.
    /// </summary>
    public string? Queue { get; init; }

    /// <summary>
    /// A task with a higher priority is offered first. Default is null: that of the <see cref="TaskDefaults"/>, else 0; any
    /// <see cref="int"/>.
    /// </summary>
    public int? Priority { get; init; }

    /// <summary>How long to wait before the task is due. Default is null: at once. Not together with <see cref="DueAt"/>.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>
    /// The task never starts before this time, to the millisecond, by the clock of the backend. Default is null: at once;
    /// years 1970 to 9999. A time that has passed means at once. Not together with <see cref="Delay"/>.
    /// </summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>
    /// From this time on, by the clock of the backend, the task no longer starts: it ends as <see cref="TaskState.Expired"/>, also
    /// between two attempts. A running attempt is not interrupted. Default is null: never; years 1970 to 9999.
    /// </summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>
    /// While a task with the same name and this key waits or runs, the call creates no other: it returns the existing task, and
    /// <see cref="TaskHandle.IsNew"/> is false. A unique index enforces this in the transaction that enqueues, also against other
    /// processes. Default is null: none; 1 to 512 characters.
    /// </summary>
    public string? UniqueKey { get; init; }

    /// <summary>
    /// How long after enqueueing the <see cref="UniqueKey"/> stays reserved, even if the task has already finished. Default is null:
    /// the key is free when the task has finished; 1 ms to 3,650 days.
    /// </summary>
    public TimeSpan? UniqueFor { get; init; }

    /// <summary>
    /// How long one attempt may run before its token is cancelled. Default is null: that of the <see cref="TaskDefaults"/>, else no limit;
    /// 1 ms to 30 days, or <see cref="System.Threading.Timeout.InfiniteTimeSpan"/> for no limit.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// Attempts and back-off. Default is null: those of the <see cref="TaskDefaults"/>, else <see cref="RetryPolicy.Default"/>.
    /// </summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>
    /// Texts that travel with the task: a tenant, a culture, a correlation id. Each attempt finds them in
    /// <see cref="TaskContext.Headers"/>. Default is null: none; names of 1 to 128 letters, digits and <c>. _ - : /</c>, told apart by
    /// case; 8 KiB in all as UTF-8. The names <c>traceparent</c> and <c>tracestate</c> are Errand's own.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>
    /// Your own transaction on the backend's database: the task exists if and only if it commits, savepoints included. Default is
    /// null: the call commits by itself. Open the backend (<see cref="TaskQueue.InitializeAsync"/>) before you begin the
    /// transaction. Workers of the same process see the task soon after the commit, workers of other processes within a second.
    /// </summary>
    public DbTransaction? Transaction { get; init; }

    internal static EnqueueOptions None { get; } = new();

    /// <summary>Throws one exception that lists all that is wrong.</summary>
    internal void Validate()
    {
        var problems = new OptionProblems(nameof(EnqueueOptions));
        CollectProblems(problems);
        if (ExpiresAt <= DueAt)
        {
            problems.Add($"{nameof(ExpiresAt)} is {ExpiresAt:u} but {nameof(DueAt)} is {DueAt:u}; such a task could never start");
        }

        problems.ThrowIfAny();
    }

    /// <summary>What no store can keep, or would keep as something else.</summary>
    internal void CollectProblems(OptionProblems problems)
    {
        problems.Range(Id is { Value: < 1 or > MaxId }, nameof(Id), Id, "1 to 2^53 - 1, from NewIdAsync");
        if (Queue is not null)
        {
            problems.Name(Queue, nameof(Queue));
        }

        problems.Range(Delay < TimeSpan.Zero || Delay > LongestDelay, nameof(Delay), Delay, "zero to 3,650 days");
        problems.Range(DueAt < DateTimeOffset.UnixEpoch, nameof(DueAt), DueAt, "years 1970 to 9999"); // No type holds a later one.
        problems.Range(
            Timeout is { } timeout && timeout != System.Threading.Timeout.InfiniteTimeSpan
                && (timeout < TimeSpan.FromMilliseconds(1) || timeout > LongestTimeout),
            nameof(Timeout), Timeout, "1 ms to 30 days");
        problems.Range(ExpiresAt < DateTimeOffset.UnixEpoch, nameof(ExpiresAt), ExpiresAt, "years 1970 to 9999");
        problems.Range(
            UniqueFor is { } period && (period < TimeSpan.FromMilliseconds(1) || period > LongestDelay),
            nameof(UniqueFor), UniqueFor, "1 ms to 3,650 days");
        if (Delay is not null && DueAt is not null)
        {
            problems.Add($"{nameof(Delay)} and {nameof(DueAt)} are both set; keep one");
        }

        if (UniqueKey is not null)
        {
            problems.Text(UniqueKey, MaxKeyLength, nameof(UniqueKey));
        }
        else if (UniqueFor is not null)
        {
            problems.Add($"{nameof(UniqueFor)} is set but {nameof(UniqueKey)} is not; give the key that is to be unique");
        }

        Retry?.CollectProblems(problems.Within(nameof(Retry)));
        if (Headers is not null)
        {
            TaskHeaders.CollectProblems(Headers, problems);
        }
    }

    /// <summary>The largest id: what JSON numbers carry without loss.</summary>
    internal const long MaxId = (1L << 53) - 1;

    private const int MaxKeyLength = 512;
    internal static readonly TimeSpan LongestDelay = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);
}
