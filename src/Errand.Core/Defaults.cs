namespace Errand;

/// <summary>Every default of Errand, in one place. The table in the README is tested against it.</summary>
public static class Defaults
{
    /// <summary>The queue of a task that names none.</summary>
    public const string Queue = "default";

    /// <summary>How often a task is attempted before it is failed: 5.</summary>
    public const int MaxAttempts = 5;

    /// <summary>The wait before the first retry: 1 second. It doubles with each attempt.</summary>
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait between two attempts: 1 hour.</summary>
    public static readonly TimeSpan MaxRetryDelay = TimeSpan.FromHours(1);

    /// <summary>
    /// Tasks that a worker runs at once: 4 per core, and at least 32. Handlers mostly wait, and what a turn of the store can carry
    /// is what the slots let it have.
    /// </summary>
    public static int Concurrency { get; } = Math.Max(32, 4 * Environment.ProcessorCount);

    /// <summary>How long a worker that is not heard of keeps its tasks: 30 seconds.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    /// <summary>How often a worker says that it lives: every 10 seconds.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    /// <summary>How long a stopping worker waits for its handlers: 30 seconds.</summary>
    public static readonly TimeSpan ShutdownGrace = TimeSpan.FromSeconds(30);

    /// <summary>A handler without a timeout is reported once when it runs longer than this: 1 hour.</summary>
    public static readonly TimeSpan LongRunningWarning = TimeSpan.FromHours(1);

    /// <summary>A handler that still runs this long after its token was cancelled is reported as stuck: 10 seconds.</summary>
    public static readonly TimeSpan StuckAfter = TimeSpan.FromSeconds(10);

    /// <summary>How many of the attempts that did not end a task are kept with it: the last 20.</summary>
    public const int AttemptsKept = 20;

    /// <summary>The largest checkpoint: 64 KiB of JSON.</summary>
    public const int MaxCheckpointBytes = 64 * 1024;

    /// <summary>How often the progress of one task is stored at most: every second.</summary>
    public static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    /// <summary>The largest payload: 1 MiB of JSON.</summary>
    public const int MaxPayloadBytes = 1024 * 1024;

    /// <summary>The largest result: 1 MiB of JSON.</summary>
    public const int MaxResultBytes = 1024 * 1024;

    /// <summary>How long results and history of finished tasks are kept: 1 day. Failed tasks stay until removed.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(1);

    /// <summary>How often a store is looked at when nothing wakes its readers: every second.</summary>
    public static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long a task whose name no worker knows is parked before it is offered again: 1 minute.</summary>
    public static readonly TimeSpan UnknownNameParking = TimeSpan.FromMinutes(1);
}
