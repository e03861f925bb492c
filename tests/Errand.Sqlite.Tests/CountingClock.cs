namespace Errand.Sqlite.Tests;

/// <summary>The system's clock; a turn reads the wall clock once or twice, so reads tell turns.</summary>
internal sealed class CountingClock : TimeProvider
{
    private int _reads;

    public int Reads => Volatile.Read(ref _reads);

    public override DateTimeOffset GetUtcNow()
    {
        Interlocked.Increment(ref _reads);
        return base.GetUtcNow();
    }
}
