namespace Errand.Sqlite.Upkeep;

/// <summary>
/// How long and how often the writer is held up to make the log begin anew beside readers: a little longer each time
/// that it was in vain, up to a quarter of a second, and then ever more seldom. Pure but for the clock.
/// </summary>
internal sealed class LogPresses
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(240);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _clock = TimeProvider.System; // Readers end in real time.
    private TimeSpan _pause;
    private long _triedAt;
    private long _failingSince;

    /// <summary>How long writing may stand still for the next one.</summary>
    internal TimeSpan Patience { get; private set; } = Shortest;

    internal bool IsDue => _pause == TimeSpan.Zero || _clock.GetElapsedTime(_triedAt) >= _pause;

    /// <summary>Even the longest was in vain: a reader is older than that.</summary>
    internal bool IsHopeless => _pause > TimeSpan.Zero;

    internal TimeSpan FailingFor => _clock.GetElapsedTime(_failingSince);

    internal void Succeeded()
    {
        _pause = TimeSpan.Zero;
        _failingSince = 0;
        Patience = Patience * 0.75 > Shortest ? Patience * 0.75 : Shortest;
    }

    internal void Failed()
    {
        _triedAt = _clock.GetTimestamp();
        _failingSince = _failingSince == 0 ? _triedAt : _failingSince;
        if (Patience < Longest)
        {
            Patience *= 2;
            return;
        }

        _pause = _pause == TimeSpan.Zero ? TimeSpan.FromSeconds(1) : _pause * 2;
        _pause = _pause > LongestPause ? LongestPause : _pause;
    }
}
