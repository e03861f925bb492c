namespace Errand.Engine;

/// <summary>
/// How often a writer looks for what others have written: quickly while there is something, then ever more slowly.
/// </summary>
internal sealed class PollPace(TimeProvider time)
{
    private long _last;

    internal TimeSpan Interval { get; private set; } = Defaults.PollInterval;

    internal bool IsDue => time.GetElapsedTime(_last) >= Interval;

    internal void Plan(Agenda agenda) => agenda.Every(Interval, _last);

    /// <summary>Look at once.</summary>
    internal void Hurry() => Interval = TimeSpan.Zero;

    /// <summary>Look after that time, counted from now.</summary>
    internal void Restart(TimeSpan interval)
    {
        Interval = interval;
        _last = time.GetTimestamp();
    }

    /// <summary>
    /// A look has been taken: the next one follows after <paramref name="shortest"/> when it was hurried, else after
    /// twice as long.
    /// </summary>
    internal void Slow(TimeSpan shortest)
    {
        var next = Interval == TimeSpan.Zero ? shortest : Interval * 2;
        Restart(next < Defaults.PollInterval ? next : Defaults.PollInterval);
    }
}
