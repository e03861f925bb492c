namespace Errand.Bench.Crew;

/// <summary>What one process has done so far: a line of JSON from it to the program that started it.</summary>
/// <param name="Enqueued">Tasks that it enqueued.</param>
/// <param name="Done">Tasks that its worker ran, whoever enqueued them.</param>
/// <param name="LastDoneAt">When the last of them ran, on the monotonic clock that processes share.</param>
/// <param name="P99">Of all its enqueue calls, the time that one in a hundred exceeded.</param>
/// <param name="Longest">The time of its longest enqueue call.</param>
/// <param name="Busy">How often it gave up on a busy file.</param>
internal sealed record MemberReport(
    int Enqueued, int Done, long LastDoneAt, TimeSpan P99, TimeSpan Longest, int Busy);
