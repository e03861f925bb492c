namespace Errand.Engine;

/// <summary>
/// How often a writer looks for what others have written: quickly while there is something, then ever more slowly.
/// </summary>
internal sealed class PollPace(TimeProvider time)
{
    private TimeSpan _interval = Defaults.PollInterval;
    private long _last;

    internal TimeSpan Interval => _interval < Longest ? _interval : Longest;

    /// <summary>The longest time between two looks. Default is the fallback poll.</summary>
    internal TimeSpan Longest { get; private set; } = Defaults.PollInterval;

    /// <summary>Somebody waits for others, who must not wait for long; null for nobody.</summary>
    internal void Limit(TimeSpan? longest) => Longest = longest ?? Defaults.PollInterval;

    internal bool IsDue => time.GetElapsedTime(_last) >= Interval;

    internal void Plan(Agenda agenda) => agenda.Every(Interval, _last);

    /// <summary>Look at once.</summary>
    internal void Hurry() => _interval = TimeSpan.Zero;

    /// <summary>Look after that time, counted from now.</summary>
    internal void Restart(TimeSpan interval)
    {
        _interval = interval;
        _last = time.GetTimestamp();
    }

    /// <summary>
    /// A look has been taken: the next one follows after <paramref name="shortest"/> when it was hurried, else after
    /// twice as long.
    /// </summary>
    internal void Slow(TimeSpan shortest)
    {
        var next = _interval == TimeSpan.Zero ? shortest : _interval * 2;
        Restart(next < Defaults.PollInterval ? next : Defaults.PollInterval);
    }
}
