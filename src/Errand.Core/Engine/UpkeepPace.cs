namespace Errand.Engine;

/// <summary>
/// When housekeeping that is done in bounded steps is due: at an interval, and while there is more to do every few
/// milliseconds, so that what callers want comes first.
/// </summary>
internal sealed class UpkeepPace(TimeProvider time, TimeSpan interval)
{
    private static readonly TimeSpan StepPause = TimeSpan.FromMilliseconds(5);

    private long _last;

    /// <summary>There is more to do than the last step did.</summary>
    internal bool GoesOn { get; private set; }

    internal bool IsDue => GoesOn || time.GetElapsedTime(_last) >= interval;

    internal void Plan(Agenda agenda)
    {
        if (GoesOn)
        {
            agenda.In(StepPause);
        }
        else
        {
            agenda.Every(interval, _last);
        }
    }

    /// <summary>A step is done.</summary>
    internal void Done(bool goesOn)
    {
        GoesOn = goesOn;
        _last = time.GetTimestamp();
    }
}
