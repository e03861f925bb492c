using Errand.Storage;

namespace Errand.Engine;

/// <summary>What both stores make of a new task.</summary>
internal static class NewTasks
{
    /// <summary>Whole milliseconds, rounded up: nothing is due before its time.</summary>
    internal static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

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
        Trace = task.Trace,
        Payload = task.Payload,
    };
}
