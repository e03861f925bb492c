namespace Errand.Bench;

/// <summary>Something that is measured: the head of its column, and its name in JSON.</summary>
/// <param name="Name">As a word of JSON.</param>
/// <param name="Decimals">How many digits after the point are worth printing.</param>
/// <param name="IsWorst">The largest of all rounds is told, where a median would hide what must not happen.</param>
internal sealed record Metric(string Name, int Decimals = 0, bool IsWorst = false)
{
    internal static Metric TasksPerSecond { get; } = new("tasksPerSecond");
}
