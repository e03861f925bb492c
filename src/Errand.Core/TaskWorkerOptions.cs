using System.Text.Json;
using Errand.Middleware;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>How a <see cref="TaskWorker"/> takes and runs tasks.</summary>
public sealed record TaskWorkerOptions
{
    /// <summary>
    /// The queues that are served: names, patterns (<c>mail-*</c>, <c>*</c>), each with a weight that says how often it is begun
    /// with: <c>["default", new("critical", 6)]</c>. Default is <c>["default"]</c>; 1 to 100. A configuration has the weight after
    /// an equals sign: <c>critical=6</c>.
    /// </summary>
    public IReadOnlyList<QueueSubscription> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many handlers run at once. Default is 4 for each processor core, and at least 32; 1 to 10,000.</summary>
    public int Concurrency { get; init; } = Defaults.Concurrency;

    /// <summary>
    /// How long this worker keeps its tasks while it does not respond. Default is 30 seconds; 500 ms to 1 day. On one machine
    /// a process that dies is noticed at once; the lease is for one that only looks alive.
    /// </summary>
    public TimeSpan Lease { get; init; } = Defaults.Lease;

    /// <summary>How often this worker says that it lives. Default is 10 seconds; 10 ms to half of <see cref="Lease"/>.</summary>
    public TimeSpan Heartbeat { get; init; } = Defaults.Heartbeat;

    /// <summary>
    /// How long <see cref="TaskWorker.StopAsync"/> lets running handlers finish before their tokens are cancelled. Default
    /// is 30 seconds; zero to 1 day.
    /// </summary>
    public TimeSpan ShutdownGrace { get; init; } = Defaults.ShutdownGrace;

    /// <summary>
    /// The largest result in bytes of JSON. Default is 1 MiB; 1 byte to 256 MiB. A task whose result is larger fails without
    /// a retry: its handler would only give it again.
    /// </summary>
    public int MaxResultBytes { get; init; } = Defaults.MaxResultBytes;

    /// <summary>
    /// Decides what is done when a handler has thrown, by exception, task and attempt. Not asked for <see cref="FailTaskException"/>,
    /// <see cref="RetryTaskException"/> and <see cref="SnoozeTaskException"/>, which decide themselves, nor when the task was
    /// cancelled. When it throws itself, the policy decides. Default is null: the task's <see cref="RetryPolicy"/> decides.
    /// </summary>
    public Func<FailedAttempt, RetryDecision>? OnFailure { get; init; }

    /// <summary>
    /// The lowest level of what is logged within an attempt and kept with it, for inspection (<see cref="TaskDetails.Log"/>): at most 64 Ki
    /// characters an attempt, in the last 20 starts of a task. Default is <see cref="LogLevel.None"/>: nothing. It costs a write for each
    /// attempt that logs. The logger factory must have <see cref="TaskLogProvider"/>, as a host's has.
    /// </summary>
    public LogLevel KeepLogs { get; init; } = LogLevel.None;

    /// <summary>What surrounds every attempt, the outermost first. Default is nothing. In a host: <c>AddMiddleware</c>.</summary>
    public IReadOnlyList<ITaskMiddleware> Middleware { get; init; } = [];

    /// <summary>Who is told of attempts that failed, in this order. Default is nobody. In a host: <c>AddFailureHandler</c>.</summary>
    public IReadOnlyList<ITaskFailureHandler> FailureHandlers { get; init; } = [];

    /// <summary>A container that makes what surrounds each attempt; null for the lists above.</summary>
    internal IMiddlewareSource? MiddlewareSource { get; init; }

    /// <summary>How payloads and results are turned to JSON; as <see cref="TaskQueueOptions.Json"/>.</summary>
    public JsonSerializerOptions? Json { get; init; }

    /// <summary>
    /// Whether every payload must have a name of its own ([<see cref="TaskNameAttribute"/>]), so that no type that is renamed or moved
    /// leaves its stored tasks behind. Default is false: a type without it is stored under its type name.
    /// </summary>
    public bool RequireTaskName { get; init; }

    /// <summary>The clock of timeouts and waits. Default is the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>These options with what a configuration says: its words win.</summary>
    internal TaskWorkerOptions With(OptionValues values) => this with
    {
        Queues = ReadQueues(values),
        Concurrency = values.Read(nameof(Concurrency), Concurrency),
        Lease = values.Read(nameof(Lease), Lease),
        Heartbeat = values.Read(nameof(Heartbeat), Heartbeat),
        ShutdownGrace = values.Read(nameof(ShutdownGrace), ShutdownGrace),
        MaxResultBytes = values.Read(nameof(MaxResultBytes), MaxResultBytes),
        KeepLogs = values.Read(nameof(KeepLogs), KeepLogs),
        RequireTaskName = values.Read(nameof(RequireTaskName), RequireTaskName),
    };

    private IReadOnlyList<QueueSubscription> ReadQueues(OptionValues values)
    {
        var configured = values.Read(nameof(Queues), []);
        return configured.Count > 0 ? [.. configured.Select(QueueSubscription.Read)] : Queues;
    }

    internal TaskWorkerOptions Validated()
    {
        var problems = new OptionProblems(nameof(TaskWorkerOptions));
        QueueSubscription.CollectProblems(Queues, problems);
        problems.Range(Concurrency is < 1 or > 10_000, nameof(Concurrency), Concurrency, "1 to 10,000");
        problems.Range(
            Lease < TimeSpan.FromMilliseconds(500) || Lease > TimeSpan.FromDays(1), nameof(Lease), Lease, "500 ms to 1 day");
        problems.Range(Heartbeat < TimeSpan.FromMilliseconds(10), nameof(Heartbeat), Heartbeat, "10 ms to half the lease");
        if (Heartbeat * 2 > Lease)
        {
            problems.Add($"{nameof(Lease)} is {Lease} but {nameof(Heartbeat)} is {Heartbeat}; "
                + "make the heartbeat at most half as long");
        }

        problems.Range(
            ShutdownGrace < TimeSpan.Zero || ShutdownGrace > TimeSpan.FromDays(1),
            nameof(ShutdownGrace), ShutdownGrace, "zero to 1 day");
        problems.Range(
            MaxResultBytes is < 1 or > OptionProblems.MaxBytes, nameof(MaxResultBytes), MaxResultBytes, "1 byte to 256 MiB");
        problems.Range(!Enum.IsDefined(KeepLogs), nameof(KeepLogs), KeepLogs, "Trace to Critical, or None");
        if (Middleware is null || Middleware.Contains(null!))
        {
            problems.Add($"{nameof(Middleware)} holds null; leave it out");
        }

        if (FailureHandlers is null || FailureHandlers.Contains(null!))
        {
            problems.Add($"{nameof(FailureHandlers)} holds null; leave it out");
        }

        problems.ThrowIfAny();
        return this;
    }
}
