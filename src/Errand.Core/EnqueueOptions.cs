using System.Data.Common;

namespace Errand;

/// <summary>How one task is enqueued. Every property has a default; <c>null</c> options are the same as none.</summary>
public sealed record EnqueueOptions
{
    /// <summary>
    /// The task's id, had before from <see cref="ITaskQueue.NewIdAsync"/>, so that an enqueue whose outcome is unknown can
    /// be repeated: the second finds the first. Default is null: the queue chooses. Not for <c>EnqueueManyAsync</c>.
    /// </summary>
    public long? Id { get; init; }

    /// <summary>The queue. Default is <c>default</c>; 1 to 128 letters, digits and <c>. _ - : /</c>.</summary>
    public string Queue { get; init; } = Defaults.Queue;

    /// <summary>Higher is offered first. Default is 0; any <see cref="int"/>.</summary>
    public int Priority { get; init; }

    /// <summary>How long to wait before the task is due. Default is null: at once. Not together with <see cref="DueAt"/>.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>
    /// The task never starts before this time, to the millisecond, by the clock of the backend. Default is null: at once;
    /// years 1970 to 9999. A time that has passed means at once. Not together with <see cref="Delay"/>.
    /// </summary>
    public DateTimeOffset? DueAt { get; init; }

    /// <summary>
    /// The task does not start any more from this time on, by the clock of the backend: it ends as <see cref="TaskState.Expired"/>
    /// instead, also between two attempts. One that has started runs on. Default is null: never; years 1970 to 9999.
    /// </summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>
    /// While a task of the same name and with this key lives, no other is made: the call gives the one that is there, and its handle
    /// says so (<see cref="TaskHandle.IsNew"/>). Enforced by a unique index in the transaction that enqueues, whoever else enqueues
    /// at the same moment. Default is null: none; 1 to 512 characters.
    /// </summary>
    public string? UniqueKey { get; init; }

    /// <summary>
    /// How long, from the enqueue on, the <see cref="UniqueKey"/> stays taken although its task has ended. Default is null: it is free
    /// when the task has ended; 1 ms to 3,650 days.
    /// </summary>
    public TimeSpan? UniqueFor { get; init; }

    /// <summary>How long one attempt may run before its token is cancelled. Default is null: for ever; 1 ms to 30 days.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Attempts and back-off. Default is null: <see cref="RetryPolicy.Default"/>.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>
    /// A transaction of yours on the backend's own database: the task exists if and only if it commits, savepoints included.
    /// Default is null: the call commits by itself. Open the backend (<see cref="TaskQueue.InitializeAsync"/>) before you begin
    /// the transaction. A worker notices the task when it looks next, which is soon after the commit in the same process, and
    /// within a second in others.
    /// </summary>
    public DbTransaction? Transaction { get; init; }

    internal static EnqueueOptions None { get; } = new();

    /// <summary>Throws one exception that lists all that is wrong.</summary>
    internal void Validate()
    {
        var problems = new OptionProblems(nameof(EnqueueOptions));
        problems.Range(Id is < 1 or > MaxId, nameof(Id), Id, "1 to 2^53 - 1, from NewIdAsync");
        problems.Name(Queue, nameof(Queue));
        problems.Range(Delay < TimeSpan.Zero || Delay > LongestDelay, nameof(Delay), Delay, "zero to 3,650 days");
        problems.Range(DueAt < DateTimeOffset.UnixEpoch, nameof(DueAt), DueAt, "years 1970 to 9999"); // No type holds a later one.
        problems.Range(
            Timeout is { } timeout && (timeout < TimeSpan.FromMilliseconds(1) || timeout > LongestTimeout),
            nameof(Timeout), Timeout, "1 ms to 30 days");
        problems.Range(ExpiresAt < DateTimeOffset.UnixEpoch, nameof(ExpiresAt), ExpiresAt, "years 1970 to 9999");
        problems.Range(
            UniqueFor is { } period && (period < TimeSpan.FromMilliseconds(1) || period > LongestDelay),
            nameof(UniqueFor), UniqueFor, "1 ms to 3,650 days");
        if (Delay is not null && DueAt is not null)
        {
            problems.Add($"{nameof(Delay)} and {nameof(DueAt)} are both set; keep one");
        }

        if (ExpiresAt <= DueAt)
        {
            problems.Add($"{nameof(ExpiresAt)} is {ExpiresAt:u} but {nameof(DueAt)} is {DueAt:u}; such a task could never start");
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
        problems.ThrowIfAny();
    }

    /// <summary>The largest id: what JSON numbers carry without loss.</summary>
    internal const long MaxId = (1L << 53) - 1;

    private const int MaxKeyLength = 512;
    private static readonly TimeSpan LongestDelay = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(30);
}
