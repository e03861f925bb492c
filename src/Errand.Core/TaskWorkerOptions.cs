using System.Text.Json;

namespace Errand;

/// <summary>How a <see cref="TaskWorker"/> takes and runs tasks.</summary>
public sealed record TaskWorkerOptions
{
    /// <summary>The queues that are served, each in its turn. Default is <c>["default"]</c>; 1 to 100 names.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many handlers run at once. Default is 4 for each processor core, and at least 32; 1 to 10,000.</summary>
    public int Concurrency { get; init; } = Defaults.Concurrency;

    /// <summary>
    /// How long this worker keeps its tasks when it is not heard of. Default is 30 seconds; 100 ms to 1 day. On one machine
    /// a process that dies is noticed at once; the lease is for what only looks alive.
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

    /// <summary>How payloads and results are turned to JSON; as <see cref="TaskQueueOptions.Json"/>.</summary>
    public JsonSerializerOptions? Json { get; init; }

    /// <summary>The clock of timeouts and waits. Default is the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>These options with what a configuration says: its words win.</summary>
    internal TaskWorkerOptions With(OptionValues values) => this with
    {
        Queues = values.Read(nameof(Queues), Queues),
        Concurrency = values.Read(nameof(Concurrency), Concurrency),
        Lease = values.Read(nameof(Lease), Lease),
        Heartbeat = values.Read(nameof(Heartbeat), Heartbeat),
        ShutdownGrace = values.Read(nameof(ShutdownGrace), ShutdownGrace),
        MaxResultBytes = values.Read(nameof(MaxResultBytes), MaxResultBytes),
    };

    internal TaskWorkerOptions Validated()
    {
        var problems = new OptionProblems(nameof(TaskWorkerOptions));
        problems.Range(Queues.Count is < 1 or > 100, nameof(Queues), Queues.Count, "1 to 100 names");
        foreach (var queue in Queues)
        {
            problems.Name(queue, nameof(Queues));
        }

        problems.Range(Concurrency is < 1 or > 10_000, nameof(Concurrency), Concurrency, "1 to 10,000");
        problems.Range(
            Lease < TimeSpan.FromMilliseconds(100) || Lease > TimeSpan.FromDays(1), nameof(Lease), Lease, "100 ms to 1 day");
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
        problems.ThrowIfAny();
        return this;
    }
}
