namespace Errand;

/// <summary>What a worker tells a backend of itself when an incarnation begins.</summary>
public sealed record WorkerRegistration
{
    /// <summary>How long it may be unheard of before its tasks are given back.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>The stored names of the tasks that it can run.</summary>
    public required IReadOnlyCollection<string> TaskNames { get; init; }
}
