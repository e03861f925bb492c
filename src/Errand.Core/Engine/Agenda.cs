namespace Errand.Engine;

/// <summary>
/// When the writer must take its next turn although nothing arrives: the earliest time that a part has named.
/// </summary>
internal sealed class Agenda(TimeProvider time)
{
    private const long LongestMs = 24 * 60 * 60 * 1_000; // Longer waits are taken in pieces: no timer waits for years.

    private long _now;

    /// <summary>How long the writer may sleep.</summary>
    internal TimeSpan Wait { get; private set; }

    /// <summary>Starts a new plan.</summary>
    /// <param name="now">The store's clock, in ms UTC.</param>
    internal void Clear(long now)
    {
        _now = now;
        Wait = TimeSpan.MaxValue;
    }

    /// <summary>A turn is wanted after that time, or at once if it is not positive.</summary>
    internal void In(TimeSpan wait)
    {
        if (wait < Wait)
        {
            Wait = wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// A turn is wanted at that time of the store's clock, in ms UTC; <see cref="long.MaxValue"/> for never.
    /// </summary>
    internal void At(long due)
    {
        if (due != long.MaxValue)
        {
            In(due - _now < LongestMs ? TimeSpan.FromMilliseconds(due - _now) : TimeSpan.FromMilliseconds(LongestMs));
        }
    }

    /// <summary>
    /// A turn is wanted every <paramref name="interval"/>; the last began at a timestamp of the monotonic clock.
    /// </summary>
    internal void Every(TimeSpan interval, long since) => In(interval - time.GetElapsedTime(since));
}
