namespace Errand.Engine;

/// <summary>
/// When the writer must take its next turn although nothing arrives: the earliest time that a part has named.
/// </summary>
internal sealed class Agenda(TimeProvider time)
{
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
            In(TimeSpan.FromMilliseconds(due - _now));
        }
    }

    /// <summary>
    /// A turn is wanted every <paramref name="interval"/>; the last began at a timestamp of the monotonic clock.
    /// </summary>
    internal void Every(TimeSpan interval, long since) => In(interval - time.GetElapsedTime(since));
}
