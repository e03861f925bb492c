namespace Errand.PostgreSql.Tests;

/// <summary>
/// A server's clock that passes with the test's, and does not jump with it: what a process's own wall clock does is nothing to the
/// server.
/// </summary>
internal sealed class ServerClock(TimeProvider clock) : TimeProvider
{
    private readonly DateTimeOffset _start = clock.GetUtcNow();
    private readonly long _startedAt = clock.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => _start + clock.GetElapsedTime(_startedAt);
}
