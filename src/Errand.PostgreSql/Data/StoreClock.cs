namespace Errand.PostgreSql.Data;

/// <summary>
/// The server's clock, as last heard: good enough to know when to ask the server. Every decision is the server's own.
/// </summary>
internal sealed class StoreClock(PostgresBackendOptions options)
{
    private long _heard; // In ms UTC.
    private long _heardAt; // On the monotonic clock.

    /// <summary>What stands for the server's clock in tests; null otherwise.</summary>
    internal long? TestNow => options.ServerClock?.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>About the server's time, in ms UTC.</summary>
    internal long Now => TestNow ?? _heard + (long)options.TimeProvider.GetElapsedTime(_heardAt).TotalMilliseconds;

    /// <summary>The server's time when it was last heard, in ms UTC.</summary>
    internal long LastHeard => _heard;

    internal void Hear(long time)
    {
        _heard = time;
        _heardAt = options.TimeProvider.GetTimestamp();
    }
}
