namespace Errand;

/// <summary>One run of a worker, from its start to its stop, with the tasks that it holds.</summary>
public sealed record WorkerDetails
{
    /// <summary>The most tasks that <see cref="Leases"/> lists: 1,000.</summary>
    public const int LeasesNamed = 1_000;

    /// <summary>The id of this run, random.</summary>
    public required WorkerId Id { get; init; }

    /// <summary>The name of its machine.</summary>
    public required string Host { get; init; }

    /// <summary>The id of its process on that machine.</summary>
    public required long ProcessId { get; init; }

    /// <summary>When it began, by the backend's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>How long it keeps its tasks without a heartbeat.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>False if its process is known to have ended, or its lease has passed without a heartbeat.</summary>
    public required bool IsLive { get; init; }

    /// <summary>The queues it serves.</summary>
    public required IReadOnlyList<QueueSubscription> Queues { get; init; }

    /// <summary>How many handlers it runs at once; 0 if that is not known.</summary>
    public required int Concurrency { get; init; }

    /// <summary>The names of the tasks that it knows.</summary>
    public required IReadOnlyList<string> TaskNames { get; init; }

    /// <summary>The tasks that it runs, by id: the first <see cref="LeasesNamed"/>.</summary>
    public required IReadOnlyList<TaskLease> Leases { get; init; }
}
