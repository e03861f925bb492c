namespace Errand.Payloads;

/// <summary>A type of tasks: the name that they are stored under, and what a call that says nothing enqueues them with.</summary>
internal sealed record TaskKind(string Name, string Queue, int Priority, TimeSpan? Timeout, RetryPolicy Retry);
