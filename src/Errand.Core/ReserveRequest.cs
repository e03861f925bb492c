namespace Errand;

/// <summary>A worker's wish for tasks.</summary>
public sealed record ReserveRequest
{
    /// <summary>The incarnation, from <see cref="IBackend.BeginWorkerAsync"/>.</summary>
    public required long Owner { get; init; }

    /// <summary>The queues to take from; each request begins with another, so that none starves.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [Defaults.Queue];

    /// <summary>How many tasks can be started at once; at least 1.</summary>
    public required int MaxTasks { get; init; }

    /// <summary>How long to wait for the first. Default is for ever; zero not at all.</summary>
    public TimeSpan Wait { get; init; } = Timeout.InfiniteTimeSpan;
}
