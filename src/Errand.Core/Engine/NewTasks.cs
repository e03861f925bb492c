using System.Runtime.InteropServices;
using Errand.Storage;

namespace Errand.Engine;

/// <summary>What both stores make of a new task.</summary>
internal static class NewTasks
{
    /// <summary>The same task with a payload that only the store knows.</summary>
    /// <exception cref="ArgumentException">It has a value that no store can keep.</exception>
    internal static NewTask Copy(NewTask task)
    {
        Check(task);
        if (task.OwnPayload is { } own && MemoryMarshal.TryGetArray(task.Payload, out var array) && array.Array == own)
        {
            return task;
        }

        var payload = Arguments.Copy(task.Payload, nameof(task));
        return task with { Payload = payload, OwnPayload = payload };
    }

    /// <summary>
    /// Whole milliseconds, rounded up: nothing is due before its time. At least zero, and at most the longest delay: a
    /// later time may be none that a date can hold.
    /// </summary>
    internal static long Milliseconds(TimeSpan time) =>
        time <= TimeSpan.Zero ? 0
        : time >= EnqueueOptions.LongestDelay ? (long)EnqueueOptions.LongestDelay.TotalMilliseconds
        : (long)Math.Ceiling(time.TotalMilliseconds);

    /// <summary>When a task is due, by the store's clock.</summary>
    internal static long DueTime(this NewTask task, long now) => task switch
    {
        { DueAt: { } due } => Math.Max(now, due.ToUnixTimeMilliseconds()),
        { Delay: { } delay } => now + Milliseconds(delay),
        _ => now,
    };

    /// <summary>The first start of a task that is handed to a worker as it is inserted.</summary>
    internal static ReservedTask HandOff(this NewTask task, long id, long owner, long now, long due) => new()
    {
        Lease = Leases.Of(id, owner, 1),
        Name = task.Name,
        Queue = task.Queue,
        Attempt = 1,
        EnqueuedAt = DateTimeOffset.FromUnixTimeMilliseconds(now),
        DueAt = DateTimeOffset.FromUnixTimeMilliseconds(due),
        Timeout = task.Timeout,
        Retry = task.Retry,
        Headers = task.Headers,
        Payload = task.Payload,
    };

    private static void Check(NewTask task)
    {
        if (task.Id is { Value: < 1 or > EnqueueOptions.MaxId } id)
        {
            throw Arguments.NeverGiven(id.Value);
        }

        Arguments.CheckSize(task.Payload.Length, nameof(task));
        var isPlain = task is
        {
            Id: null, Delay: null, DueAt: null, ExpiresAt: null, UniqueKey: null, UniqueFor: null, Timeout: null, Headers: null,
        };
        if (!isPlain || task.Retry != RetryPolicy.Default
            || OptionProblems.NameProblem(task.Name) is not null || OptionProblems.NameProblem(task.Queue) is not null)
        {
            CheckAll(task);
        }
    }

    private static void CheckAll(NewTask task)
    {
        var problems = new OptionProblems(nameof(NewTask));
        problems.Name(task.Name, nameof(NewTask.Name));
        problems.Name(task.Queue, nameof(NewTask.Queue));
        problems.Range(
            task.Timeout == Timeout.InfiniteTimeSpan, nameof(NewTask.Timeout), task.Timeout, "1 ms to 30 days, or null for no limit");
        if (task.Retry is null)
        {
            problems.Add($"{nameof(NewTask.Retry)} is null; give RetryPolicy.Default");
        }

        if (!TaskHeaders.IsReadable(task.Headers))
        {
            problems.Add($"{nameof(NewTask.Headers)} is no JSON object of texts; write it as one");
        }

        new EnqueueOptions
        {
            Delay = task.Delay,
            DueAt = task.DueAt,
            ExpiresAt = task.ExpiresAt,
            UniqueKey = task.UniqueKey,
            UniqueFor = task.UniqueFor,
            Timeout = task.Timeout,
            Retry = task.Retry,
        }.CollectProblems(problems);
        problems.ThrowIfAny();
    }
}
